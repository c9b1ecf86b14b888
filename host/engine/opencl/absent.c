/* The row of a build without OpenCL's headers: it says what to install. */
#include <string.h>

#include "engine/engine.h"
#include "support/error.h"

static const char *const reason =
    "this build has no OpenCL; install opencl-c-headers and configure again";

static int claims(const char *name) {
  return strcmp(name, "opencl") == 0 || strncmp(name, "opencl:", 7) == 0;
}

static void list(void (*add)(void *user, const systole_device_info *info), void *user) {
  const systole_device_info info = {"opencl", "gpu", "a GPU through OpenCL", 0, reason};
  add(user, &info);
}

static systole_status open_engine(systole_engine **out, const char *name,
                                  const systole_device_options *options) {
  (void)options;
  *out = NULL;
  return systole_fail(SYSTOLE_ERR_NOT_FOUND, "device %s cannot be opened: %s", name,
                      reason);
}

const systole_engine_ops systole_engine_opencl = {.version = SYSTOLE_ENGINE_VERSION,
                                                  .kind = "gpu",
                                                  .list = list,
                                                  .claims = claims,
                                                  .open = open_engine};

/* One sentence is enough. */
static int claims_float(const char *name) {
  return strcmp(name, "opencl-f32") == 0 || strncmp(name, "opencl-f32:", 11) == 0;
}

static void list_nothing(void (*add)(void *user, const systole_device_info *info),
                         void *user) {
  (void)add;
  (void)user;
}

const systole_engine_ops systole_engine_opencl_float = {.version = SYSTOLE_ENGINE_VERSION,
                                                        .kind = "gpu",
                                                        .list = list_nothing,
                                                        .claims = claims_float,
                                                        .open = open_engine};
