package secrets

import "strings"

// MaxName is the largest length of a [Name] in bytes.
const MaxName = 100

// maxUnits is how many units may follow the first character of a name.
const maxUnits = 49

// Name is the name of a secret, and of the environment variable by which a task
// reads it. The zero Name is invalid; names come from [ParseName].
//
// The grammar is what Nextflow and the Seqera Platform API both accept
// (Nextflow: SecretsHelper.NAME_REGEX and its test for a leading "__"; the API:
// the same expression and maxLength 100): a letter or an underscore, then 1 to
// 49 units, a unit being one run of letters and digits or one underscore; never
// two underscores in a row; 2 to 100 bytes. Letters are ASCII, and case counts.
type Name struct{ s string }

// The refusals are values made once, so that refusing costs no allocation.
var (
	errNameLength = &InvalidError{"name", "must be 2 to 100 bytes"}
	errNameFirst  = &InvalidError{"name", "must begin with a letter or an underscore"}
	errNameChar   = &InvalidError{"name", "may hold only letters, digits and underscores"}
	errNameDouble = &InvalidError{"name", "may not hold two underscores in a row"}
	errNameUnits  = &InvalidError{"name", "may not alternate so often between underscores and other characters"}
)

// ParseName returns s as a Name, or an [InvalidError] for the field "name". It
// runs in linear time and never looks at more than 100 bytes, whatever the size
// of s.
func ParseName(s string) (Name, error) {
	if err := checkName(s); err != nil {
		return Name{}, err
	}
	return Name{s}, nil
}

func checkName[T string | []byte](s T) error {
	if len(s) < 2 || len(s) > MaxName {
		return errNameLength
	}
	if !letter(s[0]) && s[0] != '_' {
		return errNameFirst
	}
	units, inRun := 0, false
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '_':
			if s[i-1] == '_' {
				return errNameDouble
			}
			units, inRun = units+1, false
		case !letter(c) && (c < '0' || c > '9'):
			return errNameChar
		case !inRun:
			units, inRun = units+1, true
		}
	}
	if units > maxUnits {
		return errNameUnits
	}
	return nil
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// String returns the name as text, "" for the zero Name.
func (n Name) String() string { return n.s }

// IsZero reports whether n is the zero Name, which is invalid.
func (n Name) IsZero() bool { return n.s == "" }

// Compare orders names by their bytes, as strings.Compare does.
func (n Name) Compare(other Name) int { return strings.Compare(n.s, other.s) }

// MarshalText returns the name as text.
func (n Name) MarshalText() ([]byte, error) { return []byte(n.s), nil }

// UnmarshalText parses text as [ParseName] does.
func (n *Name) UnmarshalText(text []byte) error {
	if err := checkName(text); err != nil {
		return err
	}
	*n = Name{string(text)}
	return nil
}

// Reserved reports whether the name changes how a task runs rather than what it
// knows: exported over a task's environment it would redirect the search for
// programs and libraries, the shell, the interpreter, the launcher's own agent,
// or the identity under which the task talks to its platform. A host refuses
// such names unless it means to allow one.
func (n Name) Reserved() (why string, reserved bool) {
	for _, group := range reservedNames {
		for _, name := range group.names {
			prefix, isPrefix := strings.CutSuffix(name, "*")
			if n.s == name || isPrefix && strings.HasPrefix(n.s, prefix) {
				return group.why, true
			}
		}
	}
	return "", false
}

// reservedNames lists exact names, and prefixes ending in "*". Environment names
// are case-sensitive, so the lower-case forms stand only where programs read
// them.
var reservedNames = []struct {
	why   string
	names []string
}{
	{"steers the search for programs, files or libraries", []string{
		"PATH", "CDPATH", "HOME", "TMPDIR", "LD_*", "DYLD_*", "GCONV_PATH", "LOCPATH", "NLSPATH",
		"MANPATH", "TERMINFO", "TERMCAP", "GETCONF_DIR", "TZDIR", "NIS_PATH", "HOSTALIASES", "LOCALDOMAIN",
		"RES_OPTIONS", "RESOLV_HOST_CONF",
	}},
	{"steers the shell", []string{
		"SHELL", "ENV", "BASH_*", "BASHOPTS", "SHELLOPTS", "POSIXLY_CORRECT", "IFS", "PS4", "GLOBIGNORE",
		"PROMPT_COMMAND", "OLDPWD", "PWD", "OPTIND", "USER", "LOGNAME",
		"RANDOM", "SRANDOM", "SECONDS", "LINENO", "HISTCMD", "EPOCHSECONDS", "EPOCHREALTIME", "BASHPID", "GROUPS",
		"FUNCNAME", "DIRSTACK", "PIPESTATUS", "OPTARG", "OPTERR", "COMP_*", "BASH", "SHLVL", "PS1", "PS2", // bash loses, or evaluates, what is assigned
		"UID", "EUID", "PPID", // read-only in bash: to export one ends a task that runs under "set -e"
	}},
	{"steers an interpreter or a tool that tasks call", []string{
		"PYTHON*", "PERL*", "RUBYLIB", "RUBYOPT", "NODE_OPTIONS", "NODE_PATH", "CLASSPATH", "JAVA_*",
		"JDK_*", "_JAVA_OPTIONS", "R_*", "LUA_*", "GIT_*", "EDITOR", "VISUAL", "PAGER", "MALLOC_*",
		"GLIBC_TUNABLES", "OPENSSL_CONF", "SSL_CERT_*", "CURL_CA_BUNDLE", "CURL_HOME", "REQUESTS_CA_BUNDLE",
		"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
	}},
	{"belongs to the launcher, the container engine or the scheduler", []string{
		"NXF_*", "TOWER_*", "PIPESECRETS_*", "DOCKER_*", "SINGULARITY*", "APPTAINER*", "CHARLIECLOUD_*",
		"SLURM_*", "SBATCH_*", "SRUN_*", "SGE_*", "PBS_*", "LSB_*", "LSF_*", "MOAB_*", "KUBERNETES_*",
	}},
	{"gives the task another identity on its platform", []string{
		"AWS_*", "ECS_*", "GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_*", "AZURE_*",
	}},
}
