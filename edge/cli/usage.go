package cli

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// noSuchCommand refuses arguments of a command that only groups others: they
// are misspelt commands.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	e := &usageError{Message: fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())}
	if best := nearest(args[0], commandNames(cmd)); best != "" {
		e.Hint = "did you mean " + best + "?"
	}
	return e
}

// needsCommand is what a group does when called alone.
func needsCommand(cmd *cobra.Command, _ []string) error {
	return &usageError{
		Message: fmt.Sprintf("%q needs a command", cmd.CommandPath()),
		Hint:    "one of: " + strings.Join(commandNames(cmd), ", "),
	}
}

func commandNames(cmd *cobra.Command) []string {
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return names
}

// helpFor is the help command. An unknown topic is a usage error, where cobra's
// own would succeed.
func helpFor(cmd *cobra.Command, args []string) error {
	topic, rest, err := cmd.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return usagef("there is no help on %q", strings.Join(args, " "))
	}
	topic.InitDefaultHelpFlag() // cobra adds it at execution, which this one does not see
	return topic.Help()
}

// arguments checks that a command got one argument for each name, in order. A
// last name that ends in "..." takes one or more, one in brackets may be left out.
func arguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		last := ""
		if len(names) > 0 {
			last = names[len(names)-1]
		}
		many, needed := strings.HasSuffix(last, "..."), len(names)
		if strings.HasPrefix(last, "[") {
			needed--
		}
		switch {
		case len(args) < needed:
			return usagef("%s needs %s", cmd.CommandPath(), strings.TrimSuffix(names[len(args)], "..."))
		case len(args) > len(names) && !many:
			return usagef("%s does not take %q", cmd.CommandPath(), args[len(names)])
		}
		return nil
	}
}

// flagFault turns a flag that could not be parsed into a usage error. pflag has
// typed errors for the kinds that matter here.
func flagFault(cmd *cobra.Command, err error) error {
	e := &usageError{Message: err.Error()}
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		e.Hint = suggestFlag(cmd, unknown.GetSpecifiedName())
	}
	var value *pflag.InvalidValueError
	if errors.As(err, &value) {
		if why := unparsed(value); why != "" {
			e.Message = fmt.Sprintf("--%s: %q %s", value.GetFlag().Name, value.GetValue(), why)
		}
	}
	return e
}

// unparsed says why the value of a flag cannot be read, where what Go's packages say
// speaks of their own functions; empty for the others.
func unparsed(e *pflag.InvalidValueError) string {
	var number *strconv.NumError
	switch kind := e.GetFlag().Value.Type(); {
	case kind == "duration":
		return "is not a duration; write 3s, 150ms or 1m30s"
	case !errors.As(e, &number):
		return ""
	case kind == "bool":
		return "is neither true nor false"
	case errors.Is(number, strconv.ErrRange):
		return "is too large or too small a number"
	}
	return "is not a whole number"
}

func suggestFlag(cmd *cobra.Command, name string) string {
	var candidates []string
	visit := func(f *pflag.Flag) {
		if !f.Hidden {
			candidates = append(candidates, f.Name)
		}
	}
	cmd.LocalFlags().VisitAll(visit)
	cmd.InheritedFlags().VisitAll(visit)
	if best := nearest(name, candidates); best != "" {
		return "did you mean --" + best + "?"
	}
	return ""
}

// nearest returns the candidate that name most likely misspells, or "".
func nearest(name string, candidates []string) string {
	best, least := "", 3 // more edits than two are another word
	for _, candidate := range candidates {
		if d := distance(name, candidate); d < least && d < len(candidate) {
			best, least = candidate, d
		}
	}
	return best
}

// distance is Levenshtein's: how many letters to insert, delete or replace. It
// counts at most 64 letters of each word, all that a flag or a key has.
func distance(a, b string) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// functionName is AWS Lambda's pattern.
var functionName = regexp.MustCompile(`^[a-zA-Z0-9-_]{1,64}$`)

// qualifierName is a version, an alias or $LATEST, as AWS Lambda writes them.
var qualifierName = regexp.MustCompile(`^(\$LATEST|[a-zA-Z0-9-_]{1,128})$`)

// target is a function as people name it: NAME, NAME:QUALIFIER or its ARN.
type target struct {
	Name      string
	Qualifier string // empty: $LATEST
}

func (t target) String() string {
	if t.Qualifier == "" {
		return t.Name
	}
	return t.Name + ":" + t.Qualifier
}

// arn is what AWS's operations name the function by. A node takes any region and account.
func (t target) arn() string {
	return "arn:aws:lambda:" + defaultRegion + ":000000000000:function:" + t.String()
}

// functionOf is the function of an ARN as people write it.
func functionOf(arn string) string {
	t, err := parseTarget(arn)
	if err != nil {
		return arn
	}
	return t.String()
}

// parseTarget checks the names here because they become parts of a URL's path.
func parseTarget(text string) (target, error) {
	name := text
	if strings.HasPrefix(name, "arn:") {
		_, rest, found := strings.Cut(name, ":function:")
		if !found {
			return target{}, usagef("%q is not the ARN of a function", text)
		}
		name = rest
	}
	name, qualifier, qualified := strings.Cut(name, ":")
	if !functionName.MatchString(name) {
		return target{}, &usageError{
			Message: fmt.Sprintf("%q is not a function name", name),
			Hint:    "use 1 to 64 letters, digits, - and _",
		}
	}
	if qualified && !qualifierName.MatchString(qualifier) {
		return target{}, &usageError{
			Message: fmt.Sprintf("%q is not a version or an alias", qualifier),
			Hint:    "use a number, $LATEST or the name of an alias",
		}
	}
	return target{name, qualifier}, nil
}

// isNumber reports whether a qualifier is the number of a version.
func isNumber(qualifier string) bool {
	return qualifier != "" && strings.Trim(qualifier, "0123456789") == ""
}

// parseName is parseTarget for commands that take no qualifier.
func parseName(text string) (string, error) {
	t, err := parseTarget(text)
	if err != nil {
		return "", err
	}
	if t.Qualifier != "" {
		return "", usagef("%q names a version or an alias; this command takes a whole function: %s", text, t.Name)
	}
	return t.Name, nil
}

// oneOf checks a flag that takes one of a few words; empty passes.
func oneOf(flag, value string, words ...string) error {
	if value == "" {
		return nil
	}
	for _, word := range words {
		if value == word {
			return nil
		}
	}
	return usagef("--%s: %q is not one of %s", flag, value, strings.Join(words, ", "))
}

// changedFlags returns the names of the flags that were given.
func changedFlags(cmd *cobra.Command) []string {
	var names []string
	cmd.Flags().Visit(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}
