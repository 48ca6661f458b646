// Package firmware is the appliance itself rather than what runs on it: its
// claim on the data folder, the key that makes the device what it is, and the
// word to the service manager that it is up. Slots, updates and backups belong
// here too and are not there yet.
package firmware
