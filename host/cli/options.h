/* What every subcommand that opens a device understands, as a child of its argp parser.
 */
#ifndef SYSTOLE_CLI_OPTIONS_H
#define SYSTOLE_CLI_OPTIONS_H

#include <argp.h>

#include "systole/systole.h"

typedef struct systole_common {
  systole_device_options device; /* strings are borrowed from argv */
  int json;
  int failed; /* exit code of a bad value; its story is stored. 0: none */
} systole_common;

/* input: systole_common. Options: --memory, --device-memory, --stalls, --clock,
 * --threads, --timeout, --record, --record-limit, --technology, --no-data, --json. */
extern const struct argp systole_common_argp;

/* Parses with the house's exit codes: a wrong option is SYSTOLE_EXIT_USAGE. `name` is the
 * subcommand. Returns 0, or an exit code with a story. --help and --version end the
 * process. */
int systole_parse(const struct argp *argp, const char *name, int argc, char **argv,
                  void *input, const systole_common *common);

/* Opens a device by name, stories included. */
int systole_open(systole_device **out, const char *name,
                 const systole_device_options *options);

/* CPU threads that `--threads` means: 0 is every one this process may run on. */
int systole_threads_meant(int threads);

/* Defaults of the library. */
void systole_common_init(systole_common *common);

#endif
