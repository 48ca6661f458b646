package gateway

import "bytes"

// This file is what payload format 1.0 asks of a pairSet: names that are equal
// without regard to case and shown as they were sent, the last value by itself,
// all values as a list.

// addHeader adds a header. Its name is kept twice: the spelling, and behind it
// the name in lower case, which is what pairs are found by.
func (s *pairSet) addHeader(name, value []byte) {
	s.text = append(s.text, name...)
	start := len(s.text)
	s.text = appendLower(s.text, name)
	middle := len(s.text)
	s.text = append(s.text, value...)
	s.add(start, middle)
}

// spelling returns the name of a pair that addHeader added, as it was sent.
func (s *pairSet) spelling(at int32) []byte {
	p := &s.list[at]
	return s.text[2*p.start-p.middle : p.start]
}

// spellings yields the names of header fields as they were sent. fasthttp writes
// its own spelling over them when it lists them, so raw is a copy.
type spellings struct{ raw []byte }

// next returns the spelling of the next field, which fasthttp calls name.
func (s *spellings) next(name []byte) []byte {
	for len(s.raw) > 0 {
		var line []byte
		line, s.raw, _ = bytes.Cut(s.raw, []byte{'\n'})
		if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
			continue // more of the field before
		}
		if sent, _, found := bytes.Cut(line, []byte{':'}); found && bytes.EqualFold(sent, name) {
			return sent
		}
		break
	}
	return name
}

// header is a header whose value is being appended to a pairSet's text.
type header struct{ start, middle int }

// open begins a header that the gateway sets itself.
func (s *pairSet) open(name string) header {
	s.text = append(s.text, name...)
	start := len(s.text)
	s.text = appendLower(s.text, s.text[start-len(name):start])
	return header{start, len(s.text)}
}

// find returns the first pair with the name of h, or -1.
func (s *pairSet) find(h header) int32 {
	return s.first(s.text[h.start:h.middle])
}

// replace ends h and makes it the only one of its name.
func (s *pairSet) replace(h header) {
	at := s.find(h)
	if at < 0 {
		s.add(h.start, h.middle)
		return
	}
	p := &s.list[at]
	p.start, p.middle, p.end = int32(h.start), int32(h.middle), int32(len(s.text))
	p.next, p.last = 0, at
}

// appendLast appends an object with the last value of each name. spelled says
// that addHeader added the pairs.
func (s *pairSet) appendLast(b []byte, spelled bool) []byte {
	b = append(b, '{')
	empty := len(b)
	for i := range s.list {
		if !s.list[i].first {
			continue
		}
		b = s.appendName(b, int32(i), spelled, len(b) == empty)
		b = appendString(b, s.value(s.list[i].last))
	}
	return append(b, '}')
}

// appendLists appends an object with a list of all values of each name.
func (s *pairSet) appendLists(b []byte, spelled bool) []byte {
	b = append(b, '{')
	empty := len(b)
	for i := range s.list {
		if !s.list[i].first {
			continue
		}
		b = s.appendName(b, int32(i), spelled, len(b) == empty)
		b = append(b, '[')
		for at := int32(i); ; {
			b = appendString(b, s.value(at))
			if at = s.list[at].next; at == 0 {
				break
			}
			b = append(b, ',')
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

func (s *pairSet) appendName(b []byte, at int32, spelled, begins bool) []byte {
	if !begins {
		b = append(b, ',')
	}
	if spelled {
		b = appendString(b, s.spelling(at))
	} else {
		b = appendString(b, s.name(at))
	}
	return append(b, ':')
}
