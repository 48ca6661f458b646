package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// textValue is a flag that takes one text. Unlike pflag's own it shows in the
// help what the text is: "--timeout DURATION" rather than "--timeout string".
type textValue struct {
	into *string
	kind string
}

func (v *textValue) String() string        { return *v.into }
func (v *textValue) Set(text string) error { *v.into = text; return nil }
func (v *textValue) Type() string          { return v.kind }

func textFlag(flags *pflag.FlagSet, into *string, name, kind, usage string) {
	flags.Var(&textValue{into, kind}, name, usage)
}

// listValue is a flag that may be given many times. It does not split at
// commas: a value may hold some.
type listValue struct {
	into *[]string
	kind string
}

func (v *listValue) String() string        { return strings.Join(*v.into, ", ") }
func (v *listValue) Set(text string) error { *v.into = append(*v.into, text); return nil }
func (v *listValue) Type() string          { return v.kind }

func listFlag(flags *pflag.FlagSet, into *[]string, name, kind, usage string) {
	flags.Var(&listValue{into, kind}, name, usage+" (may be repeated)")
}

// choices makes the shell complete the values of a flag that takes a few words.
func choices(cmd *cobra.Command, flag string, words ...string) {
	completions(cmd, flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// completions makes the shell complete the values of a flag with what complete
// finds.
func completions(cmd *cobra.Command, flag string, complete cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // the flag is not there or has completions: a mistake in this package
	}
}
