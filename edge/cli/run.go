package cli

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"
)

// Exit codes of Run.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// Env is what a command sees of the process that it runs in.
type Env struct {
	Args   []string // without the name of the program
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string // os.Getenv, or a test's
	// IsTerminal says that Stderr is a terminal: long work shows its progress
	// there, and a payload on Stdout is followed by a line break there.
	IsTerminal bool
	Version    Version
}

// Version says which build this is. Empty fields are left out of the output.
type Version struct {
	Version  string `json:"Version"`            // "0.1.0"
	Commit   string `json:"Commit,omitempty"`   // abbreviated hash of the source
	Wasmtime string `json:"Wasmtime,omitempty"` // "44.0.0"
	Go       string `json:"Go,omitempty"`       // runtime.Version()
	Platform string `json:"Platform,omitempty"` // "linux/arm64"
}

// ServeFunc runs the appliance until ctx is cancelled, which is a success. It
// returns an *Error where it knows what the operator should do next.
type ServeFunc func(ctx context.Context, s ServeSettings) error

// Run does the command that env.Args ask for and returns its exit code. When
// ctx is cancelled the command ends soon; what it was doing has failed then,
// save for serve and for logs that are being followed.
func Run(ctx context.Context, env Env, serve ServeFunc) int {
	a := &app{env: env, serve: serve, now: time.Now}
	root := a.rootCommand()
	// A copy that is never nil: cobra takes nil to mean os.Args.
	root.SetArgs(append([]string{}, env.Args...))
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)

	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	return a.fail(ctx, command, err)
}

// app is one run of the command line: the environment and the flags that every
// command has.
type app struct {
	env   Env
	serve ServeFunc
	now   func() time.Time

	data     string
	endpoint string
	profile  string
	json     bool
}

const rootLong = `Ledge turns this machine into a serverless appliance: it runs functions
in Python, JavaScript and WebAssembly, serves them over HTTP and still has them
after a power cut.

Start a node with "ledge serve"; every other command talks to a node that runs,
through the socket in its data folder (--data), which needs no key, or over TCP
(--endpoint, --profile) with a key that "ledge keys create" made.

A profile is one of AWS's tools, in ~/.aws/config and ~/.aws/credentials, with the
settings endpoint_url, aws_access_key_id and aws_secret_access_key; so it serves the
AWS CLI too. Without a profile the key is what LEDGE_TOKEN or AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY say.`

const rootExample = `  ledge serve &
  ledge deploy hello app.py --route 'GET /hello'
  curl http://localhost:8080/hello
  ledge invoke hello --payload '{"name":"Ada"}'
  ledge logs hello -f`

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "ledge",
		Short:         "Lambda at the edge, in one binary",
		Long:          rootLong,
		Example:       rootExample,
		SilenceErrors: true, // Run reports them, as text or as JSON
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE:          needsCommand,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("json") {
				return nil
			}
			var err error
			a.json, err = jsonFromEnv(a.env.Getenv)
			return err
		},
	}
	root.CompletionOptions.DisableDefaultCmd = true // ours adds --json and no PowerShell
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return flagFault(cmd, err) })
	root.SetHelpCommand(&cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show what a command does, its flags and examples",
		RunE:  helpFor,
	})

	flags := root.PersistentFlags()
	textFlag(flags, &a.data, "data", "DIR", "data folder of the node (LEDGE_DATA; default "+defaultData+")")
	textFlag(flags, &a.endpoint, "endpoint", "URL", "URL of the node's control plane, instead of the socket in the data folder (LEDGE_ENDPOINT)")
	textFlag(flags, &a.profile, "profile", "NAME", "profile of AWS's tools that names the node and has a key for it (LEDGE_PROFILE)")
	completions(root, "profile", a.completeProfiles)
	flags.BoolVar(&a.json, "json", false, "write JSON, errors too (LEDGE_JSON)")

	root.AddCommand(
		a.serveCommand(),
		a.deployCommand(),
		a.invokeCommand(),
		a.listCommand(),
		a.getCommand(),
		a.removeCommand(),
		a.publishCommand(),
		a.aliasCommand(),
		a.layerCommand(),
		a.routeCommand(),
		a.scheduleCommand(),
		a.feedCommand(),
		a.apiCommand(),
		a.urlCommand(),
		a.kvCommand(),
		a.keysCommand(),
		a.auditCommand(),
		a.queueCommand(),
		a.failedCommand(),
		a.logsCommand(),
		a.versionCommand(),
		a.completionCommand(),
	)
	return root
}
