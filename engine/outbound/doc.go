// Package outbound makes the HTTP requests of functions.
//
// A function reaches what its list of patterns allows and nothing else: a request
// and each redirect of it must match one, and so must the address that is dialled in
// the end where that is not one of the public Internet. A name that resolves to
// another address from one moment to the next therefore reaches nothing new.
//
// The package promises that time, sizes, headers and redirects of a request are
// bounded, that what a function sends along to prove who it is stays with the host it
// was meant for, and that connections are shared only by functions that may open
// them. It uses no proxy, keeps no cookies and caches nothing.
package outbound
