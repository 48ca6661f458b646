package scheduler

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"ledge/engine"
	"ledge/persist"
)

// A function with a persist.AsyncConfig.BatchSize gets its events as AWS Lambda has them
// from SQS (https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html), also where there
// is only one, and may answer which of them failed.

// maxBatchEvent bounds the event of a batch, in bytes: AWS Lambda's limit of requests.
const maxBatchEvent = 6 << 20

// sqsEvent is the event of a batch.
type sqsEvent struct {
	Records []sqsRecord
}

type sqsRecord struct {
	MessageID         string                  `json:"messageId"` // the job's ID
	ReceiptHandle     string                  `json:"receiptHandle"`
	Body              string                  `json:"body"`
	Attributes        sqsAttributes           `json:"attributes"`
	MessageAttributes map[string]sqsAttribute `json:"messageAttributes"`
	MD5OfBody         string                  `json:"md5OfBody"`
	EventSource       string                  `json:"eventSource"`
	EventSourceARN    string                  `json:"eventSourceARN"`
	AWSRegion         string                  `json:"awsRegion"`
}

type sqsAttributes struct {
	ApproximateReceiveCount          string
	SentTimestamp                    string // Unix milliseconds, as the next
	ApproximateFirstReceiveTimestamp string
	SenderID                         string `json:"SenderId"`                         // what caused the event: a job's Source
	MessageGroupID                   string `json:"MessageGroupId,omitempty"`         // its OrderKey
	MessageDeduplicationID           string `json:"MessageDeduplicationId,omitempty"` // its DedupID
}

type sqsAttribute struct {
	StringValue      string   `json:"stringValue"`
	StringListValues []string `json:"stringListValues"`
	BinaryListValues []string `json:"binaryListValues"`
	DataType         string   `json:"dataType"`
}

// encodingAttribute is the message attribute that says "base64" where that is what the
// body is in.
const encodingAttribute = "Encoding"

// batchEvent returns the event of a batch.
func (q *Queue) batchEvent(jobs []persist.Job) ([]byte, error) {
	event := sqsEvent{Records: make([]sqsRecord, len(jobs))}
	for i := range jobs {
		event.Records[i] = q.sqsRecord(&jobs[i])
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(event); err != nil {
		return nil, fmt.Errorf("encode batch: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func (q *Queue) sqsRecord(job *persist.Job) sqsRecord {
	record := sqsRecord{
		MessageID:     job.ID,
		ReceiptHandle: fmt.Sprintf("%d-%d", job.Number(), job.Attempts),
		Body:          string(job.Payload),
		Attributes: sqsAttributes{
			ApproximateReceiveCount:          strconv.Itoa(job.Attempts),
			SentTimestamp:                    strconv.FormatInt(job.Enqueued.UnixMilli(), 10),
			ApproximateFirstReceiveTimestamp: strconv.FormatInt(job.FirstLeased.UnixMilli(), 10),
			SenderID:                         job.Source,
			MessageGroupID:                   job.OrderKey,
			MessageDeduplicationID:           job.DedupID,
		},
		MessageAttributes: map[string]sqsAttribute{},
		EventSource:       "aws:sqs",
		EventSourceARN:    "arn:aws:sqs:" + q.cfg.Region + ":" + engine.AccountID + ":" + job.Function,
		AWSRegion:         q.cfg.Region,
	}
	if _, text := textSize(job.Payload); !text {
		record.Body = base64.StdEncoding.EncodeToString(job.Payload)
		record.MessageAttributes[encodingAttribute] = sqsAttribute{
			StringValue: "base64", StringListValues: []string{}, BinaryListValues: []string{}, DataType: "String",
		}
	}
	sum := md5.Sum([]byte(record.Body)) // what the format has; nothing relies on it
	record.MD5OfBody = hex.EncodeToString(sum[:])
	return record
}

// textSize reports whether a payload is text that SQS takes as a body: UTF-8 without
// control characters but tabs and ends of lines
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html).
// size is what it takes as a string of JSON, without the quotes.
func textSize(payload []byte) (size int, text bool) {
	if !utf8.Valid(payload) {
		return 0, false
	}
	for i, c := range payload {
		switch {
		case c == '\t' || c == '\n' || c == '\r' || c == '"' || c == '\\':
			size += 2
		case c < ' ':
			return 0, false
		case c == 0xE2 && payload[i+1] == 0x80 && payload[i+2]&^1 == 0xA8: // U+2028 and U+2029, which are escaped
			size += 4
		default:
			size++
		}
	}
	return size, true
}

// recordRest is more than a record takes besides its body and what it is named with.
const recordRest = 1 << 10

// weighRecord returns at least how many bytes a job takes in the event of a batch.
func weighRecord(job persist.Job) int {
	size, text := textSize(job.Payload)
	if !text {
		size = base64.StdEncoding.EncodedLen(len(job.Payload))
	}
	return size + recordRest + 2*(len(job.ID)+len(job.OrderKey)+len(job.DedupID)+len(job.Function)+len(job.Source))
}

// failedJobs reads the reply of a function to a batch
// (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html):
//
//	{"batchItemFailures": [{"itemIdentifier": "MESSAGE ID"}]}
//
// It returns the IDs of the jobs that failed. As in AWS Lambda no reply, null, an empty
// object and a list that is empty or null are successes, and what makes no sense is a
// failure of the whole batch: why says so. So are, here, a reply that is no JSON object
// and an ID that is not of the batch: nothing may be lost for a mistake of a function.
func failedJobs(reply []byte, jobs []persist.Job) (failed map[string]bool, why string) {
	if len(bytes.TrimSpace(reply)) == 0 {
		return nil, ""
	}
	var response struct {
		BatchItemFailures []struct {
			ItemIdentifier *string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(reply, &response); err != nil {
		return nil, "the reply is not a list of batch item failures: " + err.Error()
	}
	if len(response.BatchItemFailures) == 0 {
		return nil, ""
	}
	known := make(map[string]bool, len(jobs))
	for i := range jobs {
		known[jobs[i].ID] = true
	}
	failed = map[string]bool{}
	for _, item := range response.BatchItemFailures {
		switch {
		case item.ItemIdentifier == nil || *item.ItemIdentifier == "":
			return nil, "a batch item failure has no itemIdentifier"
		case !known[*item.ItemIdentifier]:
			return nil, fmt.Sprintf("the batch item failure %.40q is no message of the batch", *item.ItemIdentifier)
		}
		failed[*item.ItemIdentifier] = true
	}
	return failed, ""
}
