package cli

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

const completionLong = `Write a script that makes the shell complete commands, flags, profiles, and the names
of functions, routes, aliases, layers, APIs and keys, which it asks the node for.

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

// ask returns what find finds out from the node, or nothing where it cannot be
// asked: a shell has no place for errors. Words that a shell could take for more
// than a word are left out.
func (a *app) ask(cmd *cobra.Command, find func(ctx context.Context, c *client) []string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	c, err := a.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var words []string
	for _, word := range find(ctx, c) {
		if plainWord.MatchString(word) {
			words = append(words, word)
		}
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// plainWord are names of functions, keys, APIs, and URLs of issuers.
var plainWord = regexp.MustCompile(`^[a-zA-Z0-9_.:/-]{1,256}$`)

// functionNames returns the names of the node's functions.
func (a *app) functionNames(cmd *cobra.Command) ([]string, cobra.ShellCompDirective) {
	return a.ask(cmd, func(ctx context.Context, c *client) []string {
		raw, err := c.functions(ctx)
		if err != nil {
			return nil
		}
		list, err := c.decodeFunctions(raw)
		if err != nil {
			return nil
		}
		names := make([]string, len(list))
		for i, f := range list {
			names[i] = f.FunctionName
		}
		return names
	})
}

// completeFunction completes the first argument of a command.
func (a *app) completeFunction(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.functionNames(cmd)
}

// completeFunctions completes every argument.
func (a *app) completeFunctions(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.functionNames(cmd)
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

// completeProfiles completes --profile from AWS's shared files.
func (a *app) completeProfiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	files, err := readAWSFiles(a.env.Getenv)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := files.names()
	return slices.DeleteFunc(names, func(name string) bool { return !plainWord.MatchString(name) }), cobra.ShellCompDirectiveNoFileComp
}
