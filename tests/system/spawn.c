#include "spawn.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MaxArguments = 40 };

static void nap(int ms) {
  const struct timespec time = {ms / 1000, (ms % 1000) * 1000000L};
  nanosleep(&time, NULL);
}

static char *slurp(const char *path) {
  FILE *file = fopen(path, "rb");
  char *text = NULL;
  size_t size = 0;
  FILE *memory = open_memstream(&text, &size);
  char block[4096];
  size_t got;
  while (file != NULL && (got = fread(block, 1, sizeof block, file)) > 0) {
    fwrite(block, 1, got, memory);
  }
  if (file != NULL) fclose(file);
  fclose(memory);
  return text;
}

static void become_program(const spawn_options *options, char **arguments,
                           const char *out, const char *error) {
  const int null = open("/dev/null", O_RDONLY);
  const int to =
      open(options != NULL && options->out_file != NULL ? options->out_file : out,
           O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int err = open(error, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (null < 0 || to < 0 || err < 0) _exit(126);
  dup2(null, STDIN_FILENO);
  dup2(to, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  if (options != NULL && options->path != NULL) setenv("PATH", options->path, 1);
  execv(SYSTOLE_PROGRAM, arguments);
  _exit(127);
}

spoken spawn(const spawn_options *options, ...) {
  char *arguments[MaxArguments + 2] = {(char *)"systole"};
  char folder[64], out[96], error[96];
  va_list list;
  va_start(list, options);
  for (int i = 1; i <= MaxArguments; i++) {
    arguments[i] = va_arg(list, char *);
    if (arguments[i] == NULL) break;
  }
  va_end(list);
  folder_make(folder);
  snprintf(out, sizeof out, "%s/out", folder);
  snprintf(error, sizeof error, "%s/error", folder);

  fflush(NULL);
  const pid_t child = fork();
  cr_assert_geq(child, 0);
  if (child == 0) become_program(options, arguments, out, error);
  if (options != NULL && options->interrupt_after_ms > 0) {
    nap(options->interrupt_after_ms);
    kill(child, SIGINT);
    if (options->interrupt_twice) {
      nap(50);
      kill(child, SIGINT);
    }
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) cr_assert_eq(errno, EINTR);
  spoken result = {
      .code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
      .out = slurp(out),
      .error = slurp(error)};
  folder_remove(folder);
  return result;
}

void spoken_free(spoken *result) {
  free(result->out);
  free(result->error);
}

void folder_make(char out[64]) {
  strcpy(out, "/tmp/systole-test-XXXXXX");
  cr_assert_not_null(mkdtemp(out));
}

void folder_remove(const char *folder) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  cr_assert_eq(system(command), 0);
}

const char *in(const char *folder, const char *name) {
  static char buffers[4][256];
  static int next;
  next = (next + 1) % 4;
  snprintf(buffers[next], sizeof buffers[next], "%s/%s", folder, name);
  return buffers[next];
}

int entries(const char *folder) {
  DIR *list = opendir(folder);
  if (list == NULL) return -1;
  int count = 0;
  while (readdir(list) != NULL) count++;
  closedir(list);
  return count - 2;
}

int exists(const char *path) { return access(path, F_OK) == 0; }

void write_file(const char *path, const void *data, size_t size) {
  FILE *file = fopen(path, "wb");
  cr_assert_not_null(file);
  cr_assert_eq(fwrite(data, 1, size, file), size);
  cr_assert_eq(fclose(file), 0);
}

void write_npy(const char *path, const char *descr, long rows, long cols,
               const void *data, size_t bytes) {
  char header[128];
  const int length =
      snprintf(header, sizeof header,
               "{'descr': '%s', 'fortran_order': False, 'shape': (%ld, %ld), }\n", descr,
               rows, cols);
  FILE *file = fopen(path, "wb");
  cr_assert_not_null(file);
  fwrite("\x93NUMPY\x01\x00", 1, 8, file);
  fputc(length & 255, file);
  fputc(length >> 8, file);
  fwrite(header, 1, (size_t)length, file);
  fwrite(data, 1, bytes, file);
  cr_assert_eq(fclose(file), 0);
}

cJSON *json_of(const spoken *result) {
  const char *end = NULL;
  cJSON *object = cJSON_ParseWithOpts(result->out, &end, 0);
  cr_assert_not_null(object, "no JSON: '%s' / '%s'", result->out, result->error);
  cr_assert(cJSON_IsObject(object));
  cr_assert_str_eq(end, "\n", "more than one object on standard output");
  return object;
}

double json_number(const cJSON *object, const char *key) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
  cr_assert(cJSON_IsNumber(item), "no number '%s'", key);
  return item->valuedouble;
}
