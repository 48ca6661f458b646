package cli

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

const completionLong = `Write a script that makes the shell complete commands, flags, and the names of
functions and routes, which it asks the node for.

  bash  source <(ledge completion bash)
  zsh   source <(ledge completion zsh)
  fish  ledge completion fish | source

Put the line into ~/.bashrc, ~/.zshrc or ~/.config/fish/config.fish. bash needs
its package bash-completion; zsh needs "autoload -U compinit; compinit" before.`

func (a *app) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh|fish",
		Short:     "Write a shell completion script",
		Long:      completionLong,
		Example:   "  source <(ledge completion bash)\n  ledge completion zsh > ~/.zfunc/_ledge\n  ledge completion fish | source",
		Args:      arguments("SHELL"),
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(cmd *cobra.Command, args []string) error {
			var script bytes.Buffer
			var err error
			switch args[0] {
			case "bash":
				err = cmd.Root().GenBashCompletionV2(&script, true)
			case "zsh":
				err = cmd.Root().GenZshCompletion(&script)
			case "fish":
				err = cmd.Root().GenFishCompletion(&script, true)
			default:
				return usagef("there is no completion for %q; use bash, zsh or fish", args[0])
			}
			if err != nil {
				return fmt.Errorf("write the completion script: %w", err)
			}
			if a.json {
				return a.writeJSON(map[string]string{"Shell": args[0], "Script": script.String()})
			}
			return a.write(script.Bytes())
		},
	}
}

// completionTimeout bounds what somebody who pressed Tab waits for the node.
const completionTimeout = 500 * time.Millisecond

// functionNames returns the names of the node's functions, or none where it
// cannot be asked: a shell has no place for errors.
func (a *app) functionNames(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	c, err := a.client()
	if err != nil {
		return nil
	}
	raw, err := c.functions(ctx)
	if err != nil {
		return nil
	}
	list, err := c.decodeFunctions(raw)
	if err != nil {
		return nil
	}
	var names []string
	for _, f := range list {
		if functionName.MatchString(f.FunctionName) { // it goes into a shell
			names = append(names, f.FunctionName)
		}
	}
	return names
}

// completeFunction completes the first argument of a command.
func (a *app) completeFunction(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.functionNames(cmd.Context()), cobra.ShellCompDirectiveNoFileComp
}

// completeFunctions completes every argument.
func (a *app) completeFunctions(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.functionNames(cmd.Context()), cobra.ShellCompDirectiveNoFileComp
}

func (a *app) completeRoutes(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	c, err := a.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	routes, err := c.routes(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, r := range routes {
		names = append(names, oneLine(r.Route))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
