/* dladdr and pipe2 are GNU extensions. */
#define _GNU_SOURCE
#include "card/xrt/probe.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/clock.h"
#include "support/error.h"

#define HELPER "systole-xrt-probe"

extern char **environ;

enum {
  kCountSeconds = 30,
  kOpenSeconds =
      180 /* a card takes some seconds to load a file, and more when it is new */
};

/* ---- the helper ----------------------------------------------------------------------
 */

/* In the folder of the library (or of the program that it is linked into), in that of the
 * models below it, above it, or where it was installed. */
static int find_helper(char *path, size_t room) {
  static const char here = 0;
  Dl_info info;
  char file[PATH_MAX];
  const char *given = getenv("SYSTOLE_XRT_PROBE");
  if (given) {
    (void)snprintf(path, room, "%s", given);
    return access(path, X_OK) == 0;
  }
  const char *own = dladdr(&here, &info) && info.dli_fname && strchr(info.dli_fname, '/')
                        ? info.dli_fname
                        : "/proc/self/exe";
  if (realpath(own, file) && strrchr(file, '/')) {
    static const char *const places[] = {"", "/systole", "/.."};
    *strrchr(file, '/') = '\0';
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
      (void)snprintf(path, room, "%s%s/" HELPER, file, places[i]);
      if (access(path, X_OK) == 0) return 1;
    }
  }
  (void)snprintf(path, room, "%s/systole/" HELPER, SYSTOLE_LIBDIR);
  return access(path, X_OK) == 0;
}

typedef struct output {
  int file;
  char text[4096];
  size_t used;
} output;

/* Keeps the first bytes of an answer and passes over the rest. 0 at its end. */
static int take(output *o) {
  char rest[512];
  const size_t room = sizeof o->text - 1 - o->used;
  const ssize_t got = room > 0 ? read(o->file, o->text + o->used, room)
                               : read(o->file, rest, sizeof rest);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (room > 0) o->used += (size_t)got;
  o->text[o->used] = '\0';
  return got > 0;
}

/* Reads both outputs until both have ended. 0 when that took longer than `seconds`. */
static int listen_to(output *out, output *err, int seconds) {
  const double until = systole_wall_seconds() + seconds;
  int open_out = 1, open_err = 1;
  while (open_out || open_err) {
    struct pollfd files[2] = {{open_out ? out->file : -1, POLLIN, 0},
                              {open_err ? err->file : -1, POLLIN, 0}};
    const double left = until - systole_wall_seconds();
    if (left <= 0.0) return 0;
    if (poll(files, 2, (int)(left * 1e3) + 1) < 0 && errno != EINTR) return 0;
    if (files[0].revents) open_out = take(out);
    if (files[1].revents) open_err = take(err);
  }
  return 1;
}

/* XRT's last line that says something. */
static void last_words(char *to, size_t room, char *text) {
  char *rest = NULL;
  to[0] = '\0';
  for (char *line = strtok_r(text, "\n", &rest); line;
       line = strtok_r(NULL, "\n", &rest)) {
    if (strcmp(line, SYSTOLE_XRT_PROBE_MARK) == 0) {
      to[0] = '\0';
      continue;
    }
    /* The simulated card explains what XRT then only names. */
    if (strncmp(to, "systole card: ", 14) == 0) continue;
    if (*line) (void)snprintf(to, room, "%s", line);
  }
}

static systole_status judge(systole_xrt_probe *probe, output *out, output *err, int ended,
                            int seconds, int how) {
  char *rest = NULL, *bad = NULL;
  int good = 0;
  last_words(probe->said, sizeof probe->said, err->text);
  for (char *line = strtok_r(out->text, "\n", &rest); line;
       line = strtok_r(NULL, "\n", &rest)) {
    if (strncmp(line, "cards ", 6) == 0) probe->cards = atoi(line + 6);
    if (strncmp(line, "coreutil ", 9) == 0) {
      (void)sscanf(line + 9, "%1023s %31s", probe->site.coreutil,
                   probe->site.coreutil_version);
    }
    if (strncmp(line, "simulated ", 10) == 0) {
      probe->simulated = 1;
      (void)snprintf(probe->simulated_version, sizeof probe->simulated_version, "%s",
                     line + 10);
    }
    if (strncmp(line, "bad ", 4) == 0) bad = line + 4;
    good |= strcmp(line, "good") == 0;
  }
  if (good) return SYSTOLE_OK;
  const char *said = probe->said[0] ? probe->said : "it said nothing";
  if (bad) {
    char *sentence = NULL;
    const long status = strtol(bad, &sentence, 10);
    return systole_fail(
        status < 0 && status >= SYSTOLE_ERR_INTERNAL ? (systole_status)status
                                                     : SYSTOLE_ERR_NOT_FOUND,
        "%s%s%s%s", *sentence ? sentence + 1 : "XRT does not work here",
        probe->said[0] ? " [" : "", probe->said, probe->said[0] ? "]" : "");
  }
  if (!ended) {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                        "XRT with the driver %s did not answer within %d s (%s)",
                        probe->site.driver, seconds, said);
  }
  if (WIFSIGNALED(how)) {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                        "XRT with the driver %s ends its process with signal %d (%s); "
                        "XILINX_XRT must name a folder whose libraries belong together",
                        probe->site.driver, WTERMSIG(how), said);
  }
  return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                      "XRT cannot be tried: " HELPER " ended with code %d (%s)",
                      WIFEXITED(how) ? WEXITSTATUS(how) : -1, said);
}

static void close_pair(int pair[2]) {
  if (pair[0] >= 0) (void)close(pair[0]);
  if (pair[1] >= 0) (void)close(pair[1]);
}

static systole_status run_helper(systole_xrt_probe *probe, const char *what,
                                 int seconds) {
  char helper[PATH_MAX + 32], argument[1200];
  char *arguments[3] = {helper, what ? argument : NULL, NULL};
  int to_out[2] = {-1, -1}, to_err[2] = {-1, -1}, how = 0, error = 0;
  posix_spawn_file_actions_t actions;
  pid_t child = -1;
  if (!find_helper(helper, sizeof helper)) {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                        "the program " HELPER
                        " that tries XRT was not found (last looked "
                        "at: %s); build or install Systole again",
                        helper);
  }
  (void)snprintf(argument, sizeof argument, "%s", what ? what : "");
  if (posix_spawn_file_actions_init(&actions) != 0) {
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "this machine is out of memory");
  }
  if (pipe2(to_out, O_CLOEXEC) != 0 || pipe2(to_err, O_CLOEXEC) != 0) error = errno;
  if (!error) error = posix_spawn_file_actions_adddup2(&actions, to_out[1], 1);
  if (!error) error = posix_spawn_file_actions_adddup2(&actions, to_err[1], 2);
  if (!error) {
    error = posix_spawn(&child, helper, &actions, NULL, arguments, environ);
  }
  posix_spawn_file_actions_destroy(&actions);
  if (error) {
    close_pair(to_out);
    close_pair(to_err);
    return systole_fail(SYSTOLE_ERR_NOT_FOUND, "cannot start %s: %s", helper,
                        strerror(error));
  }
  (void)close(to_out[1]);
  (void)close(to_err[1]);
  output out = {to_out[0], "", 0}, err = {to_err[0], "", 0};
  const int ended = listen_to(&out, &err, seconds);
  if (!ended) (void)kill(child, SIGKILL);
  while (waitpid(child, &how, 0) < 0 && errno == EINTR) {
  }
  (void)close(to_out[0]);
  (void)close(to_err[0]);
  return judge(probe, &out, &err, ended, seconds, how);
}

/* ---- questions -----------------------------------------------------------------------
 */

static systole_status probe(systole_xrt_probe *out, const char *what, int seconds) {
  memset(out, 0, sizeof *out);
  systole_status status = systole_xrt_find(&out->site);
  if (status != SYSTOLE_OK) return status;
  return run_helper(out, what, seconds);
}

systole_status systole_xrt_probe_cards(systole_xrt_probe *out) {
  return probe(out, NULL, kCountSeconds);
}

systole_status systole_xrt_probe_open(systole_xrt_probe *out,
                                      const systole_xrt_name *name) {
  char what[1200];
  (void)snprintf(what, sizeof what, "%s:card=%s%s%s", name->file, name->card,
                 name->unit[0] ? ":cu=" : "", name->unit);
  return probe(out, what, kOpenSeconds);
}
