// Package pattern matches events with the patterns of Amazon EventBridge
// (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html),
// which AWS Lambda's event source mappings use as filters too
// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html).
//
// A pattern is a JSON object of the shape of the events that it matches. Where an
// event has a value, the pattern has an array of what the value may be:
//
//   - a string, true, false or null, and a number, which is equal to every way of
//     writing it: 300 is 3.0e2
//   - {"prefix": s}, {"suffix": s}, each also of {"equals-ignore-case": s}
//   - {"equals-ignore-case": s}
//   - {"wildcard": s}, where * is any text, and \* and \\ are * and \
//   - {"numeric": ["<", 10]}, also with two bounds: [">", 0, "<=", 5], and "="
//   - {"cidr": "10.0.0.0/24"}, of IPv4 and IPv6 addresses
//   - {"exists": true} or false, of values alone, not of objects
//   - {"anything-but": v}, of a string, a number, an array of either, or of one of
//     prefix, suffix, equals-ignore-case and wildcard, with a string or an array
//
// All fields of a pattern must match, and of "$or", an array of patterns, one. An
// array in an event matches where an element of it does; the fields of an object in
// the pattern are then looked for in one and the same element. An empty array is no
// value. The empty pattern matches everything.
//
// A pattern is parsed once. Matching takes time in proportion to the event, and to
// what of the pattern is not a plain value, of which any number is looked up at once;
// it cannot be made to backtrack. It does not look at how large an event
// is: whoever made it has bounded that.
package pattern
