package awsapi

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/http"
)

// invokeStream is InvokeWithResponseStream
// (https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html).
// The reply is sent as an event stream, but not before it is complete: no
// runtime of the node streams.
func (a *api) invokeStream(w http.ResponseWriter, r *http.Request) error {
	c, err := a.callOf(r, invokeAndWait, invokeDryRun)
	if err != nil {
		return err
	}
	if c.kind == invokeDryRun {
		return a.dryRun(w, &c)
	}
	done, err := a.run(w, r, &c)
	if err != nil {
		return err
	}
	complete := struct {
		ErrorCode    string `json:",omitempty"`
		ErrorDetails string `json:",omitempty"`
		LogResult    string `json:",omitempty"`
	}{LogResult: done.log}
	stream := []byte{}
	if done.failure != nil {
		complete.ErrorCode, complete.ErrorDetails = done.failure.Type, string(done.reply)
	} else {
		for rest := done.reply; len(rest) > 0; {
			n := min(len(rest), maxChunk)
			stream = appendEvent(stream, "PayloadChunk", "application/octet-stream", rest[:n])
			rest = rest[n:]
		}
	}
	text, err := json.Marshal(complete)
	if err != nil {
		return fmt.Errorf("encode end of stream: %w", err)
	}
	stream = appendEvent(stream, "InvokeComplete", "application/json", text)
	w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(stream) // a client that is gone needs no answer
	return nil
}

// maxChunk is the most that one event carries, in bytes. The format allows 16 MB,
// and SDKs hold one event in memory.
const maxChunk = 1 << 20

// appendEvent appends a message of AWS's event stream encoding
// (https://smithy.io/2.0/aws/amazon-eventstream.html): lengths and headers, each
// part with a CRC-32 behind it.
func appendEvent(b []byte, event, contentType string, payload []byte) []byte {
	var headers []byte
	for _, header := range [][2]string{{":event-type", event}, {":content-type", contentType}, {":message-type", "event"}} {
		const text = 7 // a value that is a string
		headers = append(headers, byte(len(header[0])))
		headers = append(headers, header[0]...)
		headers = append(headers, text)
		headers = binary.BigEndian.AppendUint16(headers, uint16(len(header[1])))
		headers = append(headers, header[1]...)
	}
	const prelude, checksum = 12, 4
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(prelude+len(headers)+len(payload)+checksum))
	b = binary.BigEndian.AppendUint32(b, uint32(len(headers)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[start:]))
	b = append(b, headers...)
	b = append(b, payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[start:]))
}
