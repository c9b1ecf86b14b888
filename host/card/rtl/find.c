/* dladdr is a GNU extension. */
#define _GNU_SOURCE
#include "card/rtl/find.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void systole_rtl_file_name(char *name, systole_rtl_variant variant) {
  (void)snprintf(name, 64, "libsystole_rtl_%d%s%s.so", variant.dim,
                 variant.readable ? "_readable" : "", variant.debug ? "_debug" : "");
}

/* The folder of the library or program that this code is in; 0 when it cannot be told. */
static int own_folder(char *folder) {
  static const char here = 0;
  Dl_info info;
  char file[PATH_MAX];
  if (dladdr(&here, &info) && info.dli_fname && strchr(info.dli_fname, '/')) {
    if (!realpath(info.dli_fname, file)) return 0;
  } else {
    /* A program found through PATH goes by its bare name. */
    if (!realpath("/proc/self/exe", file)) return 0;
  }
  char *end = strrchr(file, '/');
  if (!end) return 0;
  *end = '\0';
  return snprintf(folder, SYSTOLE_RTL_PATH_BYTES, "%s", file) < SYSTOLE_RTL_PATH_BYTES;
}

/* Calls `visit` for each folder until it returns something else than 0, and returns that.
 */
static int each_folder(int (*visit)(void *user, const char *folder), void *user) {
  char folder[SYSTOLE_RTL_PATH_BYTES], near[SYSTOLE_RTL_PATH_BYTES + 16];
  const char *list = getenv("SYSTOLE_RTL_PATH");
  int result = 0;
  while (list && *list && !result) {
    const size_t length = strcspn(list, ":");
    if (length > 0 && length < sizeof folder) {
      memcpy(folder, list, length);
      folder[length] = '\0';
      result = visit(user, folder);
    }
    list += length + (list[length] == ':');
  }
  if (!result && own_folder(folder)) {
    static const char *const places[] = {"", "/" SYSTOLE_MODELS, "/.."};
    for (size_t i = 0; i < sizeof places / sizeof places[0] && !result; i++) {
      (void)snprintf(near, sizeof near, "%s%s", folder, places[i]);
      result = visit(user, near);
    }
  }
  return result ? result : visit(user, SYSTOLE_LIBDIR "/" SYSTOLE_MODELS);
}

typedef struct search {
  char *path;
  char name[64];
} search;

static int look(void *user, const char *folder) {
  search *s = user;
  const int length = snprintf(s->path, SYSTOLE_RTL_PATH_BYTES, "%s/%s", folder, s->name);
  return length > 0 && length < SYSTOLE_RTL_PATH_BYTES && access(s->path, R_OK) == 0;
}

int systole_rtl_find(char *path, systole_rtl_variant variant) {
  search s = {path, ""};
  systole_rtl_file_name(s.name, variant);
  return each_folder(look, &s);
}

int systole_rtl_find_file(char *path, const char *name) {
  search s = {path, ""};
  (void)snprintf(s.name, sizeof s.name, "%s", name);
  return each_folder(look, &s);
}

typedef struct collection {
  char *text;
  size_t bytes, used;
} collection;

static int collect(void *user, const char *folder) {
  collection *c = user;
  const int length = snprintf(c->text + c->used, c->bytes - c->used, "%s%s",
                              c->used ? ", " : "", folder);
  if (length < 0 || (size_t)length >= c->bytes - c->used) return 1; /* full: cut here */
  c->used += (size_t)length;
  return 0;
}

void systole_rtl_folders(char *text, size_t bytes) {
  collection c = {text, bytes, 0};
  text[0] = '\0';
  (void)each_folder(collect, &c);
}
