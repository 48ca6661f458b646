// Thermostat-c decides whether to heat or to cool: a plain C program, compiled
// with clang and Debian's wasi-libc, that any WASI runtime runs.
//
// What it shows:
//   - the C standard library at work in a function: stdin, stdout, strtod;
//   - a small function for a sensor: a reading in, a decision out;
//   - settings from environment variables;
//   - refusing bad input: a message on stderr, which is in the log, and an exit
//     status other than zero, which fails the invocation.
//
// It takes the body of a request as it is, hence the raw route:
//
//   clang --target=wasm32-wasi -O2 -o thermostat-c.wasm thermostat.c
//   ledge deploy thermostat thermostat-c.wasm --env TARGET=21 --env BAND=0.5
//       --route 'POST /thermostat' --payload raw --content-type application/json
//   curl -d '{"sensor":"hall","celsius":17.5}' localhost:8080/thermostat
#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_READING = 4096 };

// Sets *value to the number of the member named key of a flat JSON object. It
// does not read JSON in general: a name inside of a string value would fool it,
// and readings have no such strings.
static bool number(const char *json, const char *key, double *value) {
  char name[32];
  snprintf(name, sizeof name, "\"%s\"", key);
  const char *at = strstr(json, name);
  if (!at) return false;
  at += strlen(name);
  while (isspace((unsigned char)*at)) at++;
  if (*at++ != ':') return false;
  char *end;
  *value = strtod(at, &end);
  return end != at && isfinite(*value);
}

// Returns the environment variable called name, or fallback where it is not set
// or no number.
static double setting(const char *name, double fallback) {
  const char *text = getenv(name);
  if (!text) return fallback;
  char *end;
  double value = strtod(text, &end);
  return end != text && *end == '\0' && isfinite(value) ? value : fallback;
}

// The band around the target in which nothing happens keeps a valve from
// opening and closing all day.
static const char *decide(double celsius, double target, double band) {
  if (celsius < target - band) return "heat";
  if (celsius > target + band) return "cool";
  return "hold";
}

int main(void) {
  char reading[MAX_READING + 1];
  size_t n = fread(reading, 1, MAX_READING, stdin);
  reading[n] = '\0';
  if (n == MAX_READING) {
    fprintf(stderr, "the reading is longer than %d bytes\n", MAX_READING - 1);
    return 1;
  }
  double celsius;
  if (!number(reading, "celsius", &celsius)) {
    fprintf(stderr, "the reading has no number named celsius: %.80s\n", reading);
    return 1;
  }
  double target = setting("TARGET", 21);
  const char *action = decide(celsius, target, setting("BAND", 0.5));
  fprintf(stderr, "%.1f of %.1f degrees: %s\n", celsius, target, action);
  printf("{\"action\":\"%s\",\"celsius\":%.1f,\"target\":%.1f}\n", action, celsius, target);
  return fflush(stdout) == 0 ? 0 : 1;
}
