#include "npy.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "number.h"
#include "story.h"

/* numpy writes about 100 bytes; a longer header belongs to a structured type, which is
 * refused anyway. */
enum { HeaderLimit = 1 << 16 };

size_t systole_type_bytes(systole_type type) {
  return type == SYSTOLE_TYPE_S8 || type == SYSTOLE_TYPE_U8 ? 1 : 4;
}

const char *systole_type_name(systole_type type) {
  switch (type) {
    case SYSTOLE_TYPE_S8:
      return "int8";
    case SYSTOLE_TYPE_U8:
      return "uint8";
    case SYSTOLE_TYPE_S32:
      return "int32";
    case SYSTOLE_TYPE_F32:
      return "float32";
  }
  return "unknown";
}

typedef struct npy_header {
  char descr[32];
  int fortran_order;
  int dimensions;
  uint64_t shape[SystoleMaxDimensions];
  int has_descr, has_order, has_shape;
} npy_header;

static void skip_space(const char **cursor) {
  while (isspace((unsigned char)**cursor)) ++*cursor;
}

static int take(const char **cursor, char expected) {
  skip_space(cursor);
  if (**cursor != expected) return 0;
  ++*cursor;
  return 1;
}

/* 'text' or "text", without escapes. */
static int take_string(const char **cursor, char *out, size_t capacity) {
  skip_space(cursor);
  const char quote = **cursor;
  if (quote != '\'' && quote != '"') return 0;
  const char *end = strchr(*cursor + 1, quote);
  if (end == NULL) return 0;
  const size_t length = (size_t)(end - *cursor - 1);
  if (length >= capacity) return 0;
  memcpy(out, *cursor + 1, length);
  out[length] = '\0';
  *cursor = end + 1;
  return 1;
}

static int take_word(const char **cursor, const char *word) {
  skip_space(cursor);
  const size_t length = strlen(word);
  if (strncmp(*cursor, word, length) != 0) return 0;
  *cursor += length;
  return 1;
}

/* (3, 4) or (3,) or (): counts all, keeps the first four. -1: not a shape; -2: too large.
 */
static int take_shape(const char **cursor, npy_header *header) {
  if (!take(cursor, '(')) return -1;
  header->dimensions = 0;
  for (;;) {
    if (take(cursor, ')')) return 0;
    skip_space(cursor);
    if (!isdigit((unsigned char)**cursor)) return -1;
    uint64_t value = 0;
    while (isdigit((unsigned char)**cursor)) {
      const uint64_t digit = (uint64_t)(**cursor - '0');
      if (value > (INT64_MAX - digit) / 10) return -2;
      value = 10 * value + digit;
      ++*cursor;
    }
    if (**cursor == 'L') ++*cursor; /* Python 2 wrote long integers so */
    if (header->dimensions < SystoleMaxDimensions)
      header->shape[header->dimensions] = value;
    header->dimensions++;
    if (!take(cursor, ',')) return take(cursor, ')') ? 0 : -1;
  }
}

/* The dictionary that numpy writes, keys in any order. */
static int parse_header(const char *text, npy_header *header, const char *path) {
  const char *cursor = text;
  memset(header, 0, sizeof *header);
  int good = take(&cursor, '{');
  while (good && !take(&cursor, '}')) {
    char key[32];
    good = take_string(&cursor, key, sizeof key) && take(&cursor, ':');
    if (!good) break;
    if (strcmp(key, "descr") == 0) {
      skip_space(&cursor);
      if (*cursor == '[') {
        return systole_story(SYSTOLE_EXIT_USAGE,
                             "%s holds a structured type; int8 or uint8 is needed", path);
      }
      good = take_string(&cursor, header->descr, sizeof header->descr);
      header->has_descr = 1;
    } else if (strcmp(key, "fortran_order") == 0) {
      header->fortran_order = take_word(&cursor, "True");
      good = header->fortran_order || take_word(&cursor, "False");
      header->has_order = 1;
    } else if (strcmp(key, "shape") == 0) {
      const int shape = take_shape(&cursor, header);
      if (shape == -2) {
        return systole_story(
            SYSTOLE_EXIT_USAGE,
            "%s promises a size beyond 2^63 in its header; it is damaged", path);
      }
      good = shape == 0;
      header->has_shape = 1;
    } else {
      good = 0;
    }
    if (good && !take(&cursor, ',')) {
      good = take(&cursor, '}');
      break;
    }
  }
  skip_space(&cursor);
  if (!good || *cursor != '\0' || !header->has_descr || !header->has_order ||
      !header->has_shape) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "%s has a .npy header that cannot be read: it needs 'descr', "
                         "'fortran_order' and 'shape'; write the file with numpy.save",
                         path);
  }
  return 0;
}

static int parse_type(systole_type *type, const char *descr, const char *path) {
  static const struct {
    const char *descr;
    systole_type type;
  } known[] = {
      {"|i1", SYSTOLE_TYPE_S8}, {"<i1", SYSTOLE_TYPE_S8},  {"=i1", SYSTOLE_TYPE_S8},
      {">i1", SYSTOLE_TYPE_S8}, {"i1", SYSTOLE_TYPE_S8},   {"|u1", SYSTOLE_TYPE_U8},
      {"<u1", SYSTOLE_TYPE_U8}, {"=u1", SYSTOLE_TYPE_U8},  {">u1", SYSTOLE_TYPE_U8},
      {"u1", SYSTOLE_TYPE_U8},  {"<i4", SYSTOLE_TYPE_S32}, {"<f4", SYSTOLE_TYPE_F32}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (strcmp(descr, known[i].descr) == 0) {
      *type = known[i].type;
      return 0;
    }
  }
  if (descr[0] == '>') {
    return systole_story(
        SYSTOLE_EXIT_USAGE,
        "%s is big-endian ('%s'); save it little-endian, as numpy does by "
        "default on this kind of machine",
        path, descr);
  }
  return systole_story(
      SYSTOLE_EXIT_USAGE,
      "%s holds elements of type '%s'; Systole reads int8, uint8, int32 and "
      "float32: convert with .astype(numpy.int8)",
      path, descr);
}

static int truncated(const char *path) {
  return systole_story(SYSTOLE_EXIT_USAGE,
                       "%s ends in the middle of its .npy header: the file is truncated",
                       path);
}

/* Column-major to row-major, in tiles so that both sides stay in cache. */
static void transpose(void *out, const void *in, int64_t rows, int64_t cols,
                      size_t size) {
  const char *from = in;
  char *to = out;
  enum { Tile = 32 };
  for (int64_t i0 = 0; i0 < rows; i0 += Tile) {
    for (int64_t j0 = 0; j0 < cols; j0 += Tile) {
      for (int64_t i = i0; i < rows && i < i0 + Tile; i++) {
        for (int64_t j = j0; j < cols && j < j0 + Tile; j++) {
          memcpy(to + (size_t)(i * cols + j) * size, from + (size_t)(j * rows + i) * size,
                 size);
        }
      }
    }
  }
}

static int read_header(npy_header *header, uint64_t *data_offset, FILE *file,
                       uint64_t bytes, const char *path) {
  int code = 0;
  unsigned char preamble[12];
  char *text = NULL;
  if (bytes < 10) {
    const size_t got = fread(preamble, 1, bytes, file);
    return got > 0 && memcmp(preamble, "\x93NUMPY", got < 6 ? got : 6) == 0
               ? truncated(path)
               : systole_story(SYSTOLE_EXIT_USAGE,
                               "%s is no .npy file: it has %" PRIu64 " byte(s)", path,
                               bytes);
  }
  if (fread(preamble, 1, 10, file) != 10) return truncated(path);
  if (memcmp(preamble, "\x93NUMPY", 6) != 0) {
    return systole_story(
        SYSTOLE_EXIT_USAGE,
        "%s is no .npy file: it does not begin with \\x93NUMPY; write it with "
        "numpy.save",
        path);
  }
  const int version = preamble[6];
  if (version < 1 || version > 3) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "%s is .npy version %d.%d; Systole reads versions 1, 2 and 3",
                         path, version, preamble[7]);
  }
  uint64_t length = (uint64_t)preamble[8] | (uint64_t)preamble[9] << 8;
  uint64_t start = 10;
  if (version >= 2) {
    if (fread(preamble + 10, 1, 2, file) != 2) return truncated(path);
    length |= (uint64_t)preamble[10] << 16 | (uint64_t)preamble[11] << 24;
    start = 12;
  }
  if (length > bytes - start) return truncated(path);
  if (length > HeaderLimit) {
    return systole_story(
        SYSTOLE_EXIT_USAGE,
        "%s has a header of %" PRIu64 " bytes; no plain matrix needs one", path, length);
  }
  text = calloc(1, length + 1);
  if (text == NULL) return systole_story_errno(ENOMEM, "cannot read %s", path);
  if (fread(text, 1, length, file) != length) {
    code = truncated(path);
  } else if (memchr(text, '\0', length) != NULL) {
    code = systole_story(SYSTOLE_EXIT_USAGE,
                         "%s has a zero byte in its header; it is damaged", path);
  } else {
    code = parse_header(text, header, path);
  }
  *data_offset = start + length;
  free(text);
  return code;
}

/* Bytes that the header promises, and the shape as people write it: "2 x 3". */
static int promised_bytes(uint64_t *out, char *text, size_t size,
                          const npy_header *header, size_t element, const char *path) {
  uint64_t inner = 1;
  size_t used = 0;
  text[0] = '\0';
  for (int d = 0; d < header->dimensions; d++) {
    used += (size_t)snprintf(text + used, used < size ? size - used : 0, "%s%" PRIu64,
                             d > 0 ? " x " : "", header->shape[d]);
    if (used >= size) used = size - 1;
    if (d == 0) continue;
    if (__builtin_mul_overflow(inner, header->shape[d], &inner) || inner > INT64_MAX) {
      inner = INT64_MAX;
    }
  }
  return systole_bytes_of(out, (int64_t)header->shape[0], (int64_t)inner, element, path);
}

int systole_npy_read(systole_matrix *out, const char *path) {
  systole_tensor tensor;
  memset(out, 0, sizeof *out);
  const int code = systole_npy_read_tensor(&tensor, path, 2);
  if (code != 0) return code;
  out->type = tensor.type;
  out->rows = tensor.shape[0];
  out->cols = tensor.shape[1];
  out->data = tensor.data;
  return 0;
}

int systole_npy_read_tensor(systole_tensor *out, const char *path, int dimensions) {
  int code = 0;
  void *data = NULL, *turned = NULL;
  struct stat status;
  npy_header header = {0};
  char shape[96];
  uint64_t offset = 0, promised = 0;
  memset(out, 0, sizeof *out);

  FILE *file = fopen(path, "rb");
  if (file == NULL) return systole_story_errno(errno, "cannot read %s", path);
  if (fstat(fileno(file), &status) != 0) {
    code = systole_story_errno(errno, "cannot read %s", path);
    goto done;
  }
  if (!S_ISREG(status.st_mode)) {
    code = systole_story(
        SYSTOLE_EXIT_USAGE,
        "%s is no regular file; a .npy file is checked by its size, which a "
        "folder or pipe does not have",
        path);
    goto done;
  }
  const uint64_t bytes = (uint64_t)status.st_size;
  if ((code = read_header(&header, &offset, file, bytes, path)) != 0) goto done;
  if ((code = parse_type(&out->type, header.descr, path)) != 0) goto done;
  if (header.dimensions != dimensions) {
    code = dimensions == 2
               ? systole_story(SYSTOLE_EXIT_USAGE,
                               "%s has %d dimension(s); a matrix has 2: reshape it", path,
                               header.dimensions)
               : systole_story(SYSTOLE_EXIT_USAGE,
                               "%s has %d dimension(s) instead of %d: reshape it", path,
                               header.dimensions, dimensions);
    goto done;
  }
  for (int d = 0; d < dimensions; d++) out->shape[d] = (int64_t)header.shape[d];
  const size_t size = systole_type_bytes(out->type);
  if ((code = promised_bytes(&promised, shape, sizeof shape, &header, size, path)) != 0)
    goto done;
  if (promised != bytes - offset) {
    code =
        systole_story(SYSTOLE_EXIT_USAGE,
                      "%s promises %s %s (%" PRIu64 " bytes) and holds %" PRIu64
                      " bytes: the file is %s or its header is wrong",
                      path, shape, systole_type_name(out->type), promised, bytes - offset,
                      promised > bytes - offset ? "truncated" : "too long");
    goto done;
  }
  if (header.fortran_order && dimensions != 2) {
    code =
        systole_story(SYSTOLE_EXIT_USAGE,
                      "%s is in Fortran order; save numpy.ascontiguousarray of it", path);
    goto done;
  }
  if ((code = systole_memory_check(promised, path)) != 0) goto done;
  data = malloc(promised + 1);
  if (data == NULL) {
    code = systole_story_errno(ENOMEM, "cannot read %s", path);
    goto done;
  }
  if (fread(data, 1, promised, file) != promised) {
    code = systole_story(SYSTOLE_EXIT_USAGE, "%s became shorter while it was read", path);
    goto done;
  }
  if (header.fortran_order && out->shape[0] > 1 && out->shape[1] > 1) {
    turned = malloc(promised);
    if (turned == NULL) {
      code = systole_story_errno(ENOMEM, "cannot read %s", path);
      goto done;
    }
    transpose(turned, data, out->shape[0], out->shape[1], size);
    free(data);
    data = turned;
  }
  out->data = data;
  data = NULL;

done:
  free(data);
  fclose(file);
  if (code != 0) memset(out, 0, sizeof *out);
  return code;
}

void systole_npy_write(FILE *file, const systole_matrix *matrix) {
  const systole_tensor tensor = {
      matrix->type, {matrix->rows, matrix->cols}, matrix->data};
  systole_npy_write_tensor(file, &tensor, 2);
}

void systole_npy_write_tensor(FILE *file, const systole_tensor *tensor, int dimensions) {
  static const char *const descr[] = {"|i1", "|u1", "<i4", "<f4"};
  char text[192];
  int length =
      snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (",
               descr[tensor->type]);
  size_t count = 1;
  for (int d = 0; d < dimensions; d++) {
    length += snprintf(text + length, sizeof text - (size_t)length, "%s%" PRId64,
                       d > 0 ? ", " : "", tensor->shape[d]);
    count *= (size_t)tensor->shape[d];
  }
  length += snprintf(text + length, sizeof text - (size_t)length, "), }");
  /* The data begin on a multiple of 64 bytes, so that they can be mapped and used in
   * place. */
  const size_t total = (10 + (size_t)length + 1 + 63) / 64 * 64;
  const size_t padded = total - 10;
  const unsigned char preamble[10] = {0x93,
                                      'N',
                                      'U',
                                      'M',
                                      'P',
                                      'Y',
                                      1,
                                      0,
                                      (unsigned char)(padded & 255),
                                      (unsigned char)(padded >> 8)};
  fwrite(preamble, 1, sizeof preamble, file);
  fprintf(file, "%-*s\n", (int)padded - 1, text);
  fwrite(tensor->data, systole_type_bytes(tensor->type), count, file);
}

void systole_matrix_free(systole_matrix *matrix) {
  free(matrix->data);
  memset(matrix, 0, sizeof *matrix);
}
