/* The program `systole`: finds the subcommand, and turns what it returns into an exit
 * code and a sentence. */
#include <argp.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "signals.h"
#include "story.h"
#include "subcommands.h"

const char *argp_program_version = "systole " SYSTOLE_VERSION;

static const struct {
  const char *name;
  int (*run)(int argc, char **argv);
  const char *about;
} subcommands[] = {
    {"devices", systole_main_devices, "every device, usable or not, and why not"},
    {"gemm", systole_main_gemm, "one matrix product on one device, checked and measured"},
    {"conv", systole_main_conv, "one convolution, or the layers of a network"},
    {"compare", systole_main_compare, "a workload on every device; figures and a report"},
    {"sweep", systole_main_sweep,
     "a workload on many designs of the model, and the best one"},
    {"published", systole_main_published,
     "models of published machines beside their own figures"},
    {"trace", systole_main_trace, "a waveform of a run"},
    {"replay", systole_main_replay, "repeats what another card did, and compares"},
    {"doctor", systole_main_doctor, "what is installed, what is missing, what to do"},
};
enum { Subcommands = sizeof subcommands / sizeof subcommands[0] };

static void help(FILE *to) {
  fputs(
      "Usage: systole SUBCOMMAND [OPTION...]\n"
      "Multiplies matrices on a systolic-array accelerator and measures it.\n\n",
      to);
  for (size_t i = 0; i < Subcommands; i++) {
    fprintf(to, "  %-10s %s\n", subcommands[i].name, subcommands[i].about);
  }
  fputs(
      "\n"
      "  systole SUBCOMMAND --help    its options\n"
      "  systole --version            the version\n\n"
      "First steps:\n"
      "  systole gemm --device rtl:16 -m 256 -n 256 -k 256\n"
      "  systole compare --out report      (then open report/report.html)\n\n"
      "Exit codes: 0 good, 1 the result is wrong, 2 bad usage or input, 3 device or "
      "library\n"
      "not here, 4 the device failed, 5 this machine ran out of disk or memory, 130 "
      "interrupted.\n",
      to);
}

static int unknown(const char *name) {
  char known[128] = "";
  for (size_t i = 0; i < Subcommands; i++) {
    const size_t used = strlen(known);
    snprintf(known + used, sizeof known - used, "%s%s",
             i == 0                ? ""
             : i + 1 < Subcommands ? ", "
                                   : " and ",
             subcommands[i].name);
  }
  return systole_story(SYSTOLE_EXIT_USAGE, "there is no subcommand '%.60s'; there are %s",
                       name, known);
}

int main(int argc, char **argv) {
  /* The character set only: numbers keep their decimal point everywhere. */
  setlocale(LC_CTYPE, "");
  systole_signals_install();

  const char *name = argc > 1 ? argv[1] : "";
  int code = SYSTOLE_EXIT_OK;
  size_t chosen = Subcommands;
  for (size_t i = 0; i < Subcommands; i++) {
    if (strcmp(name, subcommands[i].name) == 0) chosen = i;
  }
  if (chosen < Subcommands) {
    code = subcommands[chosen].run(argc - 1, argv + 1);
  } else if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
             strcmp(name, "-?") == 0 || strcmp(name, "help") == 0) {
    help(stdout);
  } else if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
    printf("%s\n", argp_program_version);
  } else if (name[0] == '\0') {
    help(stderr);
    code = systole_story(SYSTOLE_EXIT_USAGE, "a subcommand is needed");
  } else {
    code = unknown(name);
  }

  errno = 0;
  if (fflush(stdout) != 0 || ferror(stdout)) {
    const int cause = errno != 0 ? errno : ENOSPC;
    if (code == SYSTOLE_EXIT_OK || code == SYSTOLE_EXIT_WRONG) {
      code = systole_story_errno(cause, "cannot write to standard output");
    }
  }
  if (code != SYSTOLE_EXIT_OK && systole_story_text()[0] != '\0') {
    const int has_name = chosen < Subcommands;
    fprintf(stderr, "systole%s%s: %s\n", has_name ? " " : "", has_name ? name : "",
            systole_story_text());
  }
  return code;
}
