package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const mebibyte = 1 << 20

// parseSize reads a number of bytes: "64" and "64MB" are 64 mebibytes, "1GiB"
// and "1G" a gibibyte, "1.5GB" three halves of one. MB means 1 048 576 bytes,
// as in AWS Lambda's memory setting, and so does MiB.
func parseSize(text string) (int64, error) {
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	var unit float64
	switch strings.ToLower(strings.TrimSpace(text[len(digits):])) {
	case "b":
		unit = 1
	case "k", "kb", "kib":
		unit = 1 << 10
	case "", "m", "mb", "mib":
		unit = mebibyte
	case "g", "gb", "gib":
		unit = 1 << 30
	default:
		return 0, fmt.Errorf("%q is not a size; write 64, 64MB or 1GiB", text)
	}
	number, err := parseDecimal(digits)
	if err != nil || number*unit > math.MaxInt64/2 {
		return 0, fmt.Errorf("%q is not a size; write 64, 64MB or 1GiB", text)
	}
	return int64(number * unit), nil
}

// parseDuration reads "3s", "150ms" or "1m30s" as Go does, and a plain number
// as seconds, as AWS Lambda's timeout is written. It is never negative.
func parseDuration(text string) (time.Duration, error) {
	if seconds, err := parseDecimal(text); err == nil && seconds < math.MaxInt64/1e10 {
		return time.Duration(seconds * float64(time.Second)), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration; write 3s, 150ms or 1m30s", text)
	}
	return d, nil
}

// parseDecimal reads digits with at most one point, none of the other forms
// that strconv knows (signs, exponents, hexadecimal, infinities).
func parseDecimal(text string) (float64, error) {
	if len(text) == 0 || len(text) > 20 || strings.Trim(text, "0123456789.") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(text, 64)
}

// formatSize writes n bytes with three digits at most, in the units that
// parseSize reads.
func formatSize(n int64) string {
	units := []string{"KB", "MB", "GB", "TB"}
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, 0
	for value >= 1023.5 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	if value < 9.95 {
		return fmt.Sprintf("%.1f %s", value, units[unit])
	}
	return fmt.Sprintf("%.0f %s", value, units[unit])
}

// formatMillis writes a time that the node gave in milliseconds.
func formatMillis(ms float64) string {
	switch {
	case ms < 1:
		return fmt.Sprintf("%.2g ms", ms)
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f s", ms/1000)
}
