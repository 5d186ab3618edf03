package secrets_test

import (
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// reservedNames are names that are reserved, by the reason.
var reservedNames = map[string]string{
	"steers the search for programs, files or libraries": `
		PATH CDPATH HOME TMPDIR LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT LD_BIND_NOW LD_x LD_ DYLD_INSERT_LIBRARIES DYLD_
		GCONV_PATH GETCONF_DIR LOCPATH NLSPATH MANPATH TERMINFO TERMCAP TZDIR NIS_PATH HOSTALIASES LOCALDOMAIN RES_OPTIONS
		RESOLV_HOST_CONF`,
	"steers the shell": `
		SHELL ENV BASH_ENV BASH_FUNC_x BASH_XTRACEFD BASH_ BASHOPTS SHELLOPTS POSIXLY_CORRECT IFS PS4 GLOBIGNORE
		PROMPT_COMMAND OLDPWD PWD OPTIND USER LOGNAME UID EUID PPID`,
	"steers an interpreter or a tool that tasks call": `
		PYTHONPATH PYTHONSTARTUP PYTHONHOME PYTHON PERL5LIB PERL5OPT PERLLIB RUBYLIB RUBYOPT NODE_OPTIONS NODE_PATH CLASSPATH
		JAVA_HOME JAVA_TOOL_OPTIONS JAVA_ JDK_JAVA_OPTIONS _JAVA_OPTIONS R_LIBS R_PROFILE R_HOME LUA_PATH LUA_INIT GIT_SSH_COMMAND
		GIT_CONFIG_GLOBAL EDITOR VISUAL PAGER MALLOC_TRACE GLIBC_TUNABLES OPENSSL_CONF SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE
		CURL_HOME REQUESTS_CA_BUNDLE HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy`,
	"belongs to the launcher, the container engine or the scheduler": `
		NXF_HOME NXF_OPTS NXF_ TOWER_ACCESS_TOKEN TOWER_WORKSPACE_ID PIPESECRETS_DIR PIPESECRETS_ DOCKER_HOST DOCKER_CONFIG
		SINGULARITY SINGULARITYENV_PATH SINGULARITY_BIND APPTAINER_BIND APPTAINERENV_x CHARLIECLOUD_x SLURM_JOB_ID SLURM_CONF
		SBATCH_ACCOUNT SRUN_x SGE_ROOT PBS_JOBID LSB_JOBID LSF_ENVDIR MOAB_x KUBERNETES_SERVICE_HOST`,
	"gives the task another identity on its platform": `
		AWS_ACCESS_KEY_ID AWS_PROFILE AWS_ AWS_CONTAINER_CREDENTIALS_RELATIVE_URI ECS_CONTAINER_METADATA_URI
		GOOGLE_APPLICATION_CREDENTIALS CLOUDSDK_CONFIG AZURE_CLIENT_SECRET AZURE_`,
}

// freeNames are near misses of the reserved ones, and names that secrets have.
var freeNames = strings.Fields(`
	path Path PATHS MY_PATH PATH_ XPATH home HOMES MY_HOME TMPDIRS LD LDX ld_preload MY_LD_PRELOAD LDAP_PASSWORD DYLD dyld_x
	ENVIRONMENT ENV_ env SHELLS shell BASHX bash_env IFS2 ifs PS44 PS3 PWDS DB_PWD USERS USERNAME DB_USER PGUSER LOGNAMES
	UIDS GUID MY_UID python Perl5lib MYPYTHON RUBY NODE_OPTIONS2 NODE_TOKEN JAVA JDK R2_KEY RSTUDIO_KEY R2 LUA GIT GITHUB_TOKEN GITLAB_TOKEN
	EDITORS MALLOC SSL_CERT SSL_KEY HTTP_PROXY_PASSWORD PROXY http_Proxy NXF NXFX nxf_home TOWER tower_x PIPESECRETS DOCKER DOCKERHUB_TOKEN
	SLURM SLURMX SGE PBS LSB KUBERNETES KUBE_TOKEN AWS AWSKEY aws_access_key_id MY_AWS_KEY ECS GOOGLE_APPLICATION_CREDENTIALS_JSON
	GOOGLE_API_KEY CLOUDSDK AZURE AZURITE_KEY DB_PASSWORD API_KEY TOKEN SYNAPSE_TOKEN MYSQL_PASSWORD NCBI_API_KEY ENA_PASSWORD
`)

func TestANameThatSteersATaskIsReserved(t *testing.T) {
	for why, names := range reservedNames {
		for _, s := range strings.Fields(names) {
			if got, reserved := name(t, s).Reserved(); !reserved || got != why {
				t.Errorf("%s: %v, %q; want reserved, %q", s, reserved, got, why)
			}
		}
	}
}

func TestANameThatOnlyLooksLikeAReservedOneIsFree(t *testing.T) {
	for _, s := range freeNames {
		if why, reserved := name(t, s).Reserved(); reserved || why != "" {
			t.Errorf("%s is reserved: %s", s, why)
		}
	}
	if _, reserved := (secrets.Name{}).Reserved(); reserved {
		t.Error("the zero name is reserved")
	}
}
