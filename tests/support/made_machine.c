#define _GNU_SOURCE
#include "made_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A test cannot go on without its files. */
static void must(int good, const char *what) {
  if (good) return;
  perror(what);
  abort();
}

static void place(char name[512], const systole_made *made, const char *path) {
  const int length = snprintf(name, 512, "%s%s", made->root, path);
  must(length > 0 && length < 500, path);
  for (char *slash = strchr(name + strlen(made->root) + 1, '/'); slash != NULL;
       slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(name, 0755);
    *slash = '/';
  }
}

systole_made systole_made_new(void) {
  systole_made made;
  snprintf(made.root, sizeof made.root, "/tmp/systole-made-XXXXXX");
  must(mkdtemp(made.root) != NULL, made.root);
  return made;
}

void systole_made_remove(const systole_made *made) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", made->root);
  must(system(command) == 0, command);
}

void systole_made_put(const systole_made *made, const char *path, const char *text) {
  char name[512], temporary[520];
  place(name, made, path);
  snprintf(temporary, sizeof temporary, "%s.new", name);
  FILE *file = fopen(temporary, "w");
  must(file != NULL, temporary);
  fputs(text, file);
  fclose(file);
  must(rename(temporary, name) == 0, name);
}

void systole_made_number(const systole_made *made, const char *path, long long value) {
  char text[32];
  snprintf(text, sizeof text, "%lld\n", value);
  systole_made_put(made, path, text);
}

void systole_made_link(const systole_made *made, const char *path, const char *target) {
  char name[512];
  place(name, made, path);
  must(symlink(target, name) == 0, name);
}

void systole_made_unlink(const systole_made *made, const char *path) {
  char name[512];
  place(name, made, path);
  must(unlink(name) == 0, name);
}

void systole_made_wait_ms(int ms) {
  const struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
  nanosleep(&t, NULL);
}
