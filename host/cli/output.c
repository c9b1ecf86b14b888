#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "signals.h"
#include "story.h"

struct systole_output {
  FILE *file;
  char *shown;     /* the name the person gave */
  char *final;     /* links followed, so that a rename does not replace a link */
  char *temporary; /* NULL: written directly */
};

static void output_free(systole_output *output) {
  free(output->temporary);
  free(output->final);
  free(output->shown);
  free(output);
}

int systole_output_open(systole_output **out, const char *path) {
  int code = 0;
  struct stat status;
  *out = NULL;
  systole_output *output = calloc(1, sizeof *output);
  if (output == NULL) return systole_story_errno(ENOMEM, "cannot write %s", path);
  const int exists = stat(path, &status) == 0;
  output->shown = strdup(path);
  output->final = exists ? realpath(path, NULL) : strdup(path);
  if (output->shown == NULL || output->final == NULL) {
    code = systole_story_errno(ENOMEM, "cannot write %s", path);
    goto done;
  }
  if (exists && S_ISDIR(status.st_mode)) {
    code =
        systole_story(SYSTOLE_EXIT_USAGE,
                      "cannot write %s: it is a folder; give the name of a file", path);
    goto done;
  }
  if (exists && !S_ISREG(status.st_mode)) {
    output->file = fopen(path, "wb");
    if (output->file == NULL) code = systole_story_errno(errno, "cannot write %s", path);
    goto done;
  }
  if (exists && access(path, W_OK) != 0) {
    code = systole_story_errno(errno, "cannot write %s", path);
    goto done;
  }
  const size_t length = strlen(output->final);
  output->temporary = malloc(length + sizeof ".XXXXXX.tmp");
  if (output->temporary == NULL) {
    code = systole_story_errno(ENOMEM, "cannot write %s", path);
    goto done;
  }
  memcpy(output->temporary, output->final, length);
  strcpy(output->temporary + length, ".XXXXXX.tmp");
  const int descriptor = mkstemps(output->temporary, 4);
  if (descriptor < 0) {
    code = systole_story_errno(errno, "cannot write %s", path);
    free(output->temporary);
    output->temporary = NULL;
    goto done;
  }
  systole_signals_unfinished(output->temporary);
  /* mkstemps makes files private; an output has the rights any other new file would have.
   */
  const mode_t mask = umask(0);
  umask(mask);
  if (fchmod(descriptor, exists ? status.st_mode & 07777 : 0666 & ~mask) != 0 ||
      (output->file = fdopen(descriptor, "wb")) == NULL) {
    code = systole_story_errno(errno, "cannot write %s", path);
    close(descriptor);
    unlink(output->temporary);
    systole_signals_unfinished(NULL);
  }

done:
  if (code != 0) {
    output_free(output);
    return code;
  }
  *out = output;
  return 0;
}

FILE *systole_output_file(systole_output *output) { return output->file; }

const char *systole_output_temporary(const systole_output *output) {
  return output->temporary;
}

int systole_output_commit(systole_output *output) {
  int code = 0;
  errno = 0;
  /* ferror loses the cause of an earlier failure; a full disk is by far the likeliest. */
  const int failed = ferror(output->file);
  const int flushed = fflush(output->file) == 0;
  int cause = errno;
  const int closed = fclose(output->file) == 0;
  if (cause == 0 && !closed) cause = errno;
  if (failed || !flushed || !closed) {
    code = systole_story_errno(cause != 0 ? cause : ENOSPC,
                               output->temporary != NULL
                                   ? "cannot write %s, which was removed again"
                                   : "cannot write %s",
                               output->shown);
  } else if (output->temporary != NULL && rename(output->temporary, output->final) != 0) {
    code = systole_story_errno(errno, "cannot write %s", output->shown);
  }
  if (code != 0 && output->temporary != NULL) unlink(output->temporary);
  systole_signals_unfinished(NULL);
  output_free(output);
  return code;
}

void systole_output_discard(systole_output *output) {
  if (output == NULL) return;
  fclose(output->file);
  if (output->temporary != NULL) unlink(output->temporary);
  systole_signals_unfinished(NULL);
  output_free(output);
}

int systole_output_write(const char *path, const void *data, size_t bytes) {
  systole_output *output = NULL;
  const int code = systole_output_open(&output, path);
  if (code != 0) return code;
  fwrite(data, 1, bytes, output->file);
  return systole_output_commit(output);
}
