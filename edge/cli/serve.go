package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

const serveLong = `Run the appliance until it is told to stop (SIGTERM or Ctrl-C). It then stops
accepting requests and waits for running invocations, at most --drain-timeout. The
compilation of a language, which an update of the node may need and which takes
minutes on a small device, is given up and begins again at the next start.

Everything that the node keeps is in the data folder. Functions and routes that
were deployed before are live again at once.

Settings come from flags, then from the environment (LEDGE_HTTP for --http,
LEDGE_MEMORY_BUDGET for --memory-budget, ...), then from ledge.toml in the data
folder, then from the defaults:

  # ledge.toml
  http = ":80"
  memory-budget = "512MB"
  idle-timeout = "10m"`

const serveExample = `  ledge serve
  ledge serve --data /var/lib/ledge --http :80
  ledge serve --memory-budget 512MB --log-level debug`

func (a *app) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "serve",
		Short:   "Run the appliance",
		Long:    serveLong,
		Example: serveExample,
		Args:    arguments(),
	}
	values := make(map[string]*string)
	for _, s := range serveSettings() {
		if s.help != "" {
			values[s.key] = new(string)
			textFlag(cmd.Flags(), values[s.key], s.key, s.value, s.help)
		}
	}
	choices(cmd, "queue-when-full", "reject", "drop-oldest")
	choices(cmd, "log-level", "debug", "info", "warn", "error")
	// serve is the one command that does not look for a node.
	endpoint := cmd.Flags().String("endpoint", "", "")
	profile := cmd.Flags().String("profile", "", "")
	cmd.Flags().Lookup("endpoint").Hidden = true
	cmd.Flags().Lookup("profile").Hidden = true

	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *endpoint != "" {
			return usagef("serve does not take --endpoint; the address to listen on is --control")
		}
		if *profile != "" {
			return usagef("serve does not take --profile, which names a node that runs")
		}
		data := a.dataFolder()
		file, lines, err := readSettingsFile(data)
		if err != nil {
			return err
		}
		settings, err := resolveSettings(sources{
			flag: func(key string) (string, bool) {
				if !cmd.Flags().Changed(key) {
					return "", false
				}
				if key == "json" {
					return cmd.Flag(key).Value.String(), true
				}
				return *values[key], true
			},
			getenv: a.env.Getenv,
			file:   file,
			lines:  lines,
		})
		if err != nil {
			return err
		}
		settings.Data = data
		if err := a.serve(cmd.Context(), settings); err != nil {
			// To be told to stop is how serve ends.
			if cmd.Context().Err() != nil && errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		}
		return nil
	}
	return cmd
}

// dataFolder is the node's folder from --data, LEDGE_DATA or the default.
func (a *app) dataFolder() string {
	if a.data != "" {
		return a.data
	}
	if folder := a.env.Getenv("LEDGE_DATA"); folder != "" {
		return folder
	}
	return defaultData
}
