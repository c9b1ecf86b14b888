/* Number formats, and the names of devices that have them: ENGINE[-FORMAT][:WHICH]. */
#include <stdio.h>
#include <string.h>

#include "library/device.h"
#include "support/error.h"

static const char *const names[SYSTOLE_FORMATS] = {"int8", "f32", "tf32", "bf16", "fp16"};

const char *systole_format_name(systole_format format) {
  return (int)format >= 0 && (int)format < SYSTOLE_FORMATS ? names[format] : "";
}

int systole_format_bytes(systole_format format) {
  if (format == SYSTOLE_FORMAT_S8) return 1;
  return format == SYSTOLE_FORMAT_BF16 || format == SYSTOLE_FORMAT_F16 ? 2 : 4;
}

systole_format systole_device_format(const systole_device *device) {
  if (device == NULL || device->ops->format == NULL) return SYSTOLE_FORMAT_S8;
  return device->ops->format(device->engine);
}

/* Where the engine's own name ends, and the format that follows. */
static size_t engine_length(const char *name, systole_format *format) {
  const size_t head = strcspn(name, ":");
  *format = SYSTOLE_FORMAT_S8;
  for (int f = 1; f < SYSTOLE_FORMATS; f++) {
    const size_t length = strlen(names[f]);
    if (head > length + 1 && name[head - length - 1] == '-' &&
        strncmp(name + head - length, names[f], length) == 0) {
      *format = (systole_format)f;
      return head - length - 1;
    }
  }
  return head;
}

systole_format systole_device_name_format(const char *name) {
  systole_format format = SYSTOLE_FORMAT_S8;
  if (name != NULL) (void)engine_length(name, &format);
  return format;
}

/* The row that a name belongs to; NULL without one. Cards claim names of every scheme, so
 * only rows of floats are asked for names with a format. */
static const systole_engine_ops *row_of(const char *name) {
  size_t count;
  const systole_engine_ops *const *rows = systole_engine_rows(&count);
  const int floats = systole_device_name_format(name) != SYSTOLE_FORMAT_S8;
  for (size_t i = 0; i < count; i++) {
    if (floats && rows[i]->format == NULL) continue;
    if (rows[i]->claims(name)) return rows[i];
  }
  return NULL;
}

systole_status systole_device_in_format(char *out, size_t bytes, const char *name,
                                        systole_format format) {
  if (out == NULL || bytes == 0 || name == NULL || systole_format_name(format)[0] == 0) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "a device's name and a format are needed, and a place for the "
                        "other name");
  }
  out[0] = 0;
  systole_format present;
  const size_t length = engine_length(name, &present);
  const systole_engine_ops *row = row_of(name);
  const char *which = strchr(name, ':');
  if (which == NULL || (row != NULL && row->kernel_names && format != present)) {
    which = "";
  }
  const int written = format == SYSTOLE_FORMAT_S8
                          ? snprintf(out, bytes, "%.*s%s", (int)length, name, which)
                          : snprintf(out, bytes, "%.*s-%s%s", (int)length, name,
                                     systole_format_name(format), which);
  if (written < 0 || (size_t)written >= bytes) {
    out[0] = 0;
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "the name of %s in %s has no room", name,
                        systole_format_name(format));
  }
  if (row != NULL && row_of(out) != NULL) return SYSTOLE_OK;
  out[0] = 0;
  return systole_fail(SYSTOLE_ERR_UNSUPPORTED, "%s has no %s", name,
                      systole_format_name(format));
}
