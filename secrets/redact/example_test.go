package redact_test

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

func Example() {
	name, _ := secrets.ParseName("REGISTRY_TOKEN")
	value, _ := secrets.NewValue([]byte("open sesame"))
	r, err := redact.New(map[secrets.Name]secrets.Value{name: value}, redact.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()

	w := r.Writer(os.Stdout)
	_, _ = io.WriteString(w, "docker login -p 'open se") // what may become the value is held back
	_, _ = io.WriteString(w, "same'\n")
	if err := w.Close(); err != nil {
		fmt.Println(err)
	}
	fmt.Println(r.Hits()[name], "masked")
	// Output:
	// docker login -p '[secret:REGISTRY_TOKEN]'
	// 1 masked
}

func ExampleRedactor_Handler() {
	name, _ := secrets.ParseName("DB_PASSWORD")
	value, _ := secrets.NewValue([]byte("open sesame"))
	r, err := redact.New(map[secrets.Name]secrets.Value{name: value}, redact.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()

	untimed := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}
	log := slog.New(r.Handler(slog.NewTextHandler(os.Stdout, untimed)))
	log.Error("no connection", "err", fmt.Errorf("dial db://app:open sesame@db"))
	// Output:
	// level=ERROR msg="no connection" err="dial db://app:[secret:DB_PASSWORD]@db"
}
