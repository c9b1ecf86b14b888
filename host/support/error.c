#include "support/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { kStoryBytes = 1024 };

static _Thread_local char story[kStoryBytes];

systole_status systole_fail(systole_status status, const char *format, ...) {
  /* Formatted aside first: an argument may be the old story itself. */
  char text[kStoryBytes];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  memcpy(story, text, sizeof story);
  return status;
}

systole_status systole_fail_in(systole_status status, const char *format, ...) {
  char prefix[kStoryBytes];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(prefix, sizeof prefix, format, arguments);
  va_end(arguments);
  char text[2 * kStoryBytes + 2];
  snprintf(text, sizeof text, "%s: %s", prefix, story);
  memcpy(story, text, sizeof story - 1); /* the last byte stays 0 */
  return status;
}

const char *systole_last_error(void) { return story; }

const char *systole_status_name(systole_status status) {
  switch (status) {
    case SYSTOLE_OK:
      return "good";
    case SYSTOLE_ERR_ARGUMENT:
      return "bad argument";
    case SYSTOLE_ERR_NOT_FOUND:
      return "not found";
    case SYSTOLE_ERR_DEVICE:
      return "device error";
    case SYSTOLE_ERR_TIMEOUT:
      return "timeout";
    case SYSTOLE_ERR_DEVICE_MEMORY:
      return "device memory exhausted";
    case SYSTOLE_ERR_HOST_MEMORY:
      return "host memory exhausted";
    case SYSTOLE_ERR_IO:
      return "input or output failed";
    case SYSTOLE_ERR_UNSUPPORTED:
      return "unsupported";
    case SYSTOLE_ERR_INTERRUPTED:
      return "interrupted";
    case SYSTOLE_ERR_INTERNAL:
      return "internal error";
  }
  return "unknown status";
}
