#include "signals.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "story.h"

/* A signal handler has no argument to carry state in: these two are the only globals. */
static volatile sig_atomic_t stop_asked;
static const char *volatile unfinished_path;

static void on_signal(int number) {
  (void)number;
  if (stop_asked) {
    const char *path = unfinished_path;
    if (path != NULL) unlink(path);
    _exit(SYSTOLE_EXIT_INTERRUPTED);
  }
  stop_asked = 1;
}

void systole_signals_install(void) {
  struct sigaction action = {0};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

int systole_interrupted(void) { return stop_asked != 0; }

int systole_interrupted_story(void) {
  return systole_story(SYSTOLE_EXIT_INTERRUPTED,
                       "interrupted; no output file was written or changed");
}

void systole_signals_unfinished(const char *path) { unfinished_path = path; }
