package apigateway

import "crypto/rand"

const (
	letters      = "abcdefghijklmnopqrstuvwxyz"
	alphanumeric = letters + "0123456789"
)

// newID returns an ID as API Gateway's: ten letters in lower case and digits. It
// begins with a letter, since that of an API is the label of a host.
func newID() string { return randomText(letters, 1) + randomText(alphanumeric, 9) }

// newKeyValue returns the value of an API key: 40 letters and digits.
func newKeyValue() string { return randomText(alphanumeric+"ABCDEFGHIJKLMNOPQRSTUVWXYZ", 40) }

// randomText returns n bytes, each chosen from alphabet with equal chances.
func randomText(alphabet string, n int) string {
	usable := 256 - 256%len(alphabet) // above it, some would come more often
	text := make([]byte, 0, n)
	var b [64]byte
	for len(text) < n {
		rand.Read(b[:]) // it never fails, see its documentation
		for _, c := range b {
			if int(c) < usable && len(text) < n {
				text = append(text, alphabet[int(c)%len(alphabet)])
			}
		}
	}
	return string(text)
}
