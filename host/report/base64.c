#include "report/base64.h"

static void put_group(FILE *out, const uint8_t *data, size_t size) {
  static const char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const unsigned second = size > 1 ? data[1] : 0u, third = size > 2 ? data[2] : 0u;
  const unsigned group = (unsigned)data[0] << 16 | second << 8 | third;
  fputc(digits[group >> 18], out);
  fputc(digits[group >> 12 & 63], out);
  fputc(size > 1 ? digits[group >> 6 & 63] : '=', out);
  fputc(size > 2 ? digits[group & 63] : '=', out);
}

void systole_base64(FILE *out, const uint8_t *data, size_t size) {
  for (size_t i = 0; i < size; i += 3)
    put_group(out, data + i, size - i < 3 ? size - i : 3);
}

int systole_base64_file(FILE *out, const char *path) {
  uint8_t block[3 * 1024]; /* a multiple of 3: no padding inside */
  FILE *file = fopen(path, "rb");
  if (file == NULL) return 0;
  size_t got;
  while ((got = fread(block, 1, sizeof block, file)) > 0) systole_base64(out, block, got);
  const int good = !ferror(file);
  fclose(file);
  return good;
}
