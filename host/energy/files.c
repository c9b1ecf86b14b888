#include "files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int systole_path(char out[SYSTOLE_PATH_BYTES], const char *root, const char *path) {
  const int length = snprintf(out, SYSTOLE_PATH_BYTES, "%s%s", root, path);
  return length >= 0 && length < SYSTOLE_PATH_BYTES;
}

int systole_read_line(const char *path, char *out, size_t bytes) {
  out[0] = '\0';
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  errno = 0;
  const int good = fgets(out, (int)bytes, file) != NULL;
  const int error = errno != 0 ? errno : ENODATA;
  fclose(file);
  if (!good) {
    errno = error;
    return 0;
  }
  out[strcspn(out, "\n")] = '\0';
  return 1;
}

int systole_read_u64(const char *path, uint64_t *out) {
  char line[64];
  *out = 0;
  if (!systole_read_line(path, line, sizeof line)) return 0;
  if (line[0] < '0' || line[0] > '9') {
    errno = EINVAL;
    return 0;
  }
  char *end = NULL;
  errno = 0;
  const unsigned long long value = strtoull(line, &end, 10);
  if (errno != 0 || *end != '\0') {
    errno = EINVAL;
    return 0;
  }
  *out = value;
  return 1;
}

int systole_read_number(const char *path, double *out) {
  char line[64];
  *out = 0;
  if (!systole_read_line(path, line, sizeof line)) return 0;
  const char *digits = line + (line[0] == '-');
  size_t count = 0;
  double value = 0;
  for (; digits[count] >= '0' && digits[count] <= '9'; count++) {
    value = 10 * value + (digits[count] - '0');
  }
  if (count == 0 || count > 18 || digits[count] != '\0') {
    errno = EINVAL;
    return 0;
  }
  *out = line[0] == '-' ? -value : value;
  return 1;
}

int systole_pci_address(char out[16], const char *text) {
  unsigned domain = 0, bus, slot, function;
  char rest;
  if (sscanf(text, "%8x:%2x:%2x.%1x%c", &domain, &bus, &slot, &function, &rest) != 4) {
    domain = 0;
    if (sscanf(text, "%2x:%2x.%1x%c", &bus, &slot, &function, &rest) != 3) return 0;
  }
  if (domain > 0xffff) return 0;
  (void)snprintf(out, 16, "%04x:%02x:%02x.%x", domain, bus, slot, function);
  return 1;
}
