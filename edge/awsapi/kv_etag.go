package awsapi

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"ledge/persist"
)

// etag is the entity tag of an item: the sequence number of the write that made
// it what it is (RFC 9110, section 8.8.3).
func etag(sequence uint64) string { return `"` + strconv.FormatUint(sequence, 10) + `"` }

// maxEntityTags bounds the entity tags of one header.
const maxEntityTags = 100

// entityTags reads If-Match or If-None-Match (RFC 9110, section 13.1): any says
// that it is "*". Tags are returned as they are, with quotes; weak ones begin
// with W/. ok is false for what is no list of tags.
func entityTags(header string) (tags []string, any, ok bool) {
	rest := strings.Trim(header, " \t")
	if rest == "*" {
		return nil, true, true
	}
	for range maxEntityTags {
		opened := strings.TrimPrefix(rest, "W/")
		if !strings.HasPrefix(opened, `"`) {
			return nil, false, false
		}
		end := strings.IndexByte(opened[1:], '"')
		if end < 0 {
			return nil, false, false
		}
		size := len(rest) - len(opened) + 1 + end + 1
		tags = append(tags, rest[:size])
		rest = strings.TrimLeft(rest[size:], " \t")
		if rest == "" {
			return tags, false, true
		}
		if rest[0] != ',' {
			return nil, false, false
		}
		rest = strings.TrimLeft(rest[1:], " \t")
	}
	return nil, false, false
}

// precondition returns the Condition that a request asks a write to have. A
// *fault says that it makes no sense, or cannot hold whatever is stored.
func precondition(h http.Header) (persist.Condition, error) {
	match, none := strings.Join(h.Values("If-Match"), ","), strings.Join(h.Values("If-None-Match"), ",")
	// One that is empty, as from a variable of a script that is not set, is wrong too:
	// the write must not become one without a precondition.
	hasMatch, hasNone := len(h.Values("If-Match")) > 0, len(h.Values("If-None-Match")) > 0
	switch {
	case h.Get("If-Unmodified-Since") != "" || h.Get("If-Modified-Since") != "":
		return persist.Condition{}, invalid("times are too coarse for preconditions of a write: use If-Match with the ETag")
	case hasMatch && hasNone:
		return persist.Condition{}, invalid("If-Match and If-None-Match cannot both hold")
	case hasNone:
		if _, any, ok := entityTags(none); !ok || !any {
			return persist.Condition{}, invalid(fmt.Sprintf("If-None-Match of a write must be *, not %.100q", none))
		}
		return persist.Condition{Kind: persist.IfAbsent}, nil
	case !hasMatch:
		return persist.Condition{}, nil
	}
	tags, any, ok := entityTags(match)
	switch {
	case !ok || len(tags) > 1:
		return persist.Condition{}, invalid(fmt.Sprintf(`If-Match must be * or one ETag such as "17", in its quotes, not %.100q`, match))
	case any:
		return persist.Condition{Kind: persist.IfPresent}, nil
	}
	sequence, err := strconv.ParseUint(strings.Trim(tags[0], `"`), 10, 64)
	if err != nil || sequence == 0 || tags[0] != etag(sequence) {
		// No item has such a tag, and a weak one never matches.
		return persist.Condition{}, &fault{Status: http.StatusPreconditionFailed, Code: codePrecondition,
			Message: fmt.Sprintf("no item has the ETag %.100s", tags[0])}
	}
	return persist.Condition{Kind: persist.IfSequence, Sequence: sequence}, nil
}

// isFresh reports whether the client has the item already: what If-None-Match of
// a GET asks. Weak tags count as strong ones there.
func isFresh(h http.Header, item persist.Item) bool {
	tags, any, ok := entityTags(strings.Join(h.Values("If-None-Match"), ","))
	if !ok || any {
		return any
	}
	for _, tag := range tags {
		if strings.TrimPrefix(tag, "W/") == etag(item.Sequence) {
			return true
		}
	}
	return false
}
