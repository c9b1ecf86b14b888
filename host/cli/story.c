#include "story.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char story[1024];

static void tell(const char *format, va_list arguments, const char *tail) {
  int length = vsnprintf(story, sizeof story, format, arguments);
  if (length < 0) length = 0;
  size_t used = (size_t)length < sizeof story ? (size_t)length : sizeof story - 1;
  if (tail != NULL && tail[0] != '\0') {
    snprintf(story + used, sizeof story - used, ": %s", tail);
  }
}

int systole_story(int exit_code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  tell(format, arguments, NULL);
  va_end(arguments);
  return exit_code;
}

int systole_story_of(systole_status status, const char *format, ...) {
  if (status == SYSTOLE_OK) return SYSTOLE_EXIT_OK;
  const char *cause = systole_last_error();
  va_list arguments;
  va_start(arguments, format);
  tell(format, arguments, cause[0] != '\0' ? cause : systole_status_name(status));
  va_end(arguments);
  return systole_exit_code(status);
}

int systole_story_errno(int error_number, const char *format, ...) {
  const int full =
      error_number == ENOSPC || error_number == EDQUOT || error_number == ENOMEM;
  va_list arguments;
  va_start(arguments, format);
  tell(format, arguments, strerror(error_number));
  va_end(arguments);
  return full ? SYSTOLE_EXIT_EXHAUSTED : SYSTOLE_EXIT_USAGE;
}

const char *systole_story_text(void) { return story; }

int systole_exit_code(systole_status status) {
  switch (status) {
    case SYSTOLE_OK:
      return SYSTOLE_EXIT_OK;
    case SYSTOLE_ERR_ARGUMENT:
    case SYSTOLE_ERR_IO:
      return SYSTOLE_EXIT_USAGE;
    case SYSTOLE_ERR_NOT_FOUND:
    case SYSTOLE_ERR_UNSUPPORTED:
      return SYSTOLE_EXIT_ABSENT;
    case SYSTOLE_ERR_HOST_MEMORY:
      return SYSTOLE_EXIT_EXHAUSTED;
    case SYSTOLE_ERR_INTERRUPTED:
      return SYSTOLE_EXIT_INTERRUPTED;
    case SYSTOLE_ERR_DEVICE:
    case SYSTOLE_ERR_TIMEOUT:
    case SYSTOLE_ERR_DEVICE_MEMORY:
    case SYSTOLE_ERR_INTERNAL:
      return SYSTOLE_EXIT_DEVICE;
  }
  return SYSTOLE_EXIT_DEVICE;
}
