/* .npy files as numpy writes them, and as damaged or lying ones come. */
#include "npy.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "operands.h"
#include "output.h"
#include "story.h"

typedef struct bytes {
  unsigned char data[4096];
  size_t size;
} bytes;

static char path[] = "/tmp/systole-npy-XXXXXX";

static void make_file(void) { close(mkstemp(path)); }
static void remove_file(void) { unlink(path); }
TestSuite(npy, .init = make_file, .fini = remove_file);

static void save(const void *data, size_t size) {
  FILE *file = fopen(path, "wb");
  cr_assert_not_null(file);
  cr_assert_eq(fwrite(data, 1, size, file), size);
  cr_assert_eq(fclose(file), 0);
}

/* A file as numpy.lib.format describes it, written out here a second time. */
static bytes build(int version, const char *dictionary, const void *data, size_t size) {
  bytes out = {{0}, 0};
  const size_t start = version == 1 ? 10 : 12;
  const size_t length = strlen(dictionary) + 1;
  memcpy(out.data, "\x93NUMPY", 6);
  out.data[6] = (unsigned char)version;
  out.data[8] = (unsigned char)(length & 255);
  out.data[9] = (unsigned char)(length >> 8);
  memcpy(out.data + start, dictionary, length - 1);
  out.data[start + length - 1] = '\n';
  memcpy(out.data + start + length, data, size);
  out.size = start + length + size;
  return out;
}

static int read_built(systole_matrix *matrix, int version, const char *dictionary,
                      const void *data, size_t size) {
  const bytes file = build(version, dictionary, data, size);
  save(file.data, file.size);
  return systole_npy_read(matrix, path);
}

Test(npy, reads_every_type_in_every_version_and_order) {
  static const char *const descr[] = {"|i1", "|u1", "<i4", "<f4"};
  const int8_t values[6] = {-128, -1, 0, 1, 2, 127};
  const uint8_t unsigned_values[6] = {0, 1, 127, 128, 254, 255};
  const int32_t wide[6] = {INT32_MIN, -1, 0, 1, 65536, INT32_MAX};
  const float real[6] = {-1.5f, 0.0f, 1e-30f, 3.25f, 1e30f, -0.0f};
  const void *const row_major[] = {values, unsigned_values, wide, real};
  for (int version = 1; version <= 3; version++) {
    for (int type = 0; type < 4; type++) {
      const size_t size = type < 2 ? 1 : 4;
      unsigned char column_major[24];
      for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < 3; j++) {
          memcpy(column_major + (j * 2 + i) * size,
                 (const unsigned char *)row_major[type] + (i * 3 + j) * size, size);
        }
      }
      for (int fortran = 0; fortran <= 1; fortran++) {
        char dictionary[128];
        systole_matrix matrix;
        snprintf(dictionary, sizeof dictionary,
                 "{'descr': '%s', 'fortran_order': %s, 'shape': (2, 3), }", descr[type],
                 fortran ? "True" : "False");
        const int code =
            read_built(&matrix, version, dictionary,
                       fortran ? (const void *)column_major : row_major[type], 6 * size);
        cr_assert_eq(code, 0, "version %d %s fortran %d: %s", version, descr[type],
                     fortran, systole_story_text());
        cr_assert_eq((int)matrix.type, type);
        cr_assert_eq(matrix.rows, 2);
        cr_assert_eq(matrix.cols, 3);
        cr_assert_arr_eq((unsigned char *)matrix.data,
                         (const unsigned char *)row_major[type], 6 * size);
        systole_matrix_free(&matrix);
      }
    }
  }
}

Test(npy, reads_keys_in_any_order_and_old_spellings) {
  const int8_t data[2] = {5, -6};
  static const char *const headers[] = {
      "{'shape': (1, 2), 'fortran_order': False, 'descr': '|i1'}",
      "{\"descr\":\"<i1\",\"fortran_order\":False,\"shape\":(1,2)}",
      "{'descr': '|i1', 'fortran_order': False, 'shape': (1L, 2L), }          "};
  for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
    systole_matrix matrix;
    cr_assert_eq(read_built(&matrix, 1, headers[i], data, 2), 0, "%s: %s", headers[i],
                 systole_story_text());
    cr_assert_eq(((int8_t *)matrix.data)[1], -6);
    systole_matrix_free(&matrix);
  }
}

Test(npy, transposes_more_than_one_tile) {
  enum { Rows = 71, Cols = 45 };
  int8_t data[Rows * Cols];
  systole_matrix matrix;
  for (int i = 0; i < Rows; i++) {
    for (int j = 0; j < Cols; j++) data[j * Rows + i] = (int8_t)(i * 7 + j * 3);
  }
  cr_assert_eq(
      read_built(&matrix, 1, "{'descr': '|i1', 'fortran_order': True, 'shape': (71, 45)}",
                 data, sizeof data),
      0);
  for (int i = 0; i < Rows; i++) {
    for (int j = 0; j < Cols; j++) {
      cr_assert_eq(((int8_t *)matrix.data)[i * Cols + j], (int8_t)(i * 7 + j * 3));
    }
  }
  systole_matrix_free(&matrix);
}

Test(npy, what_it_writes_it_reads) {
  int32_t data[12];
  for (int i = 0; i < 12; i++) data[i] = i * 1000003 - 7;
  const systole_matrix matrix = {SYSTOLE_TYPE_S32, 4, 3, data};
  systole_matrix back;
  FILE *file = fopen(path, "wb");
  systole_npy_write(file, &matrix);
  const long size = ftell(file);
  fclose(file);
  cr_assert_eq((size - 48) % 64, 0, "the data begin on a multiple of 64");
  cr_assert_eq(systole_npy_read(&back, path), 0, "%s", systole_story_text());
  cr_assert_eq((int)back.type, SYSTOLE_TYPE_S32);
  cr_assert_eq(back.rows, 4);
  cr_assert_eq(back.cols, 3);
  cr_assert_arr_eq((int32_t *)back.data, data, 12);
  systole_matrix_free(&back);
}

Test(npy, an_empty_matrix_is_a_matrix) {
  systole_matrix matrix;
  cr_assert_eq(
      read_built(&matrix, 1, "{'descr': '|i1', 'fortran_order': False, 'shape': (0, 7)}",
                 "", 0),
      0);
  cr_assert_not_null(matrix.data);
  cr_assert_eq(matrix.rows, 0);
  cr_assert_eq(matrix.cols, 7);
  systole_matrix_free(&matrix);
}

Test(npy, refuses_a_file_that_is_truncated_at_any_byte) {
  const int8_t data[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  for (int version = 1; version <= 3; version++) {
    const bytes whole = build(
        version, "{'descr': '|i1', 'fortran_order': False, 'shape': (3, 4), }", data, 12);
    systole_matrix matrix;
    for (size_t size = 0; size < whole.size; size++) {
      save(whole.data, size);
      cr_assert_eq(systole_npy_read(&matrix, path), SYSTOLE_EXIT_USAGE,
                   "%zu of %zu bytes", size, whole.size);
      cr_assert_null(matrix.data);
      cr_assert_not_null(strstr(systole_story_text(), path));
    }
    save(whole.data, whole.size);
    cr_assert_eq(systole_npy_read(&matrix, path), 0);
    systole_matrix_free(&matrix);
  }
}

/* Flipping any one bit of the header gives a matrix of the right size or a refusal; with
 * the sanitizers on, this also finds reads beyond the buffer. */
Test(npy, survives_every_flipped_bit_of_the_header) {
  const int8_t data[12] = {0};
  bytes file =
      build(1, "{'descr': '|i1', 'fortran_order': False, 'shape': (3, 4), }", data, 12);
  int refused = 0;
  for (size_t i = 0; i + 12 < file.size; i++) {
    for (int bit = 0; bit < 8; bit++) {
      systole_matrix matrix;
      file.data[i] = (unsigned char)(file.data[i] ^ 1 << bit);
      save(file.data, file.size);
      const int code = systole_npy_read(&matrix, path);
      if (code == 0) {
        cr_assert_eq(matrix.rows * matrix.cols * (int64_t)systole_type_bytes(matrix.type),
                     12);
        systole_matrix_free(&matrix);
      } else {
        cr_assert_eq(code, SYSTOLE_EXIT_USAGE);
        refused++;
      }
      file.data[i] = (unsigned char)(file.data[i] ^ 1 << bit);
    }
  }
  cr_assert_gt(refused, 300);
}

Test(npy, refuses_what_is_no_int8_matrix_with_a_sentence) {
  static const struct {
    const char *header, *sentence;
  } cases[] = {
      {"{'descr': '|i1', 'fortran_order': False, 'shape': (3, 5)}", "promises"},
      {"{'descr': '|i1', 'fortran_order': False, 'shape': (3, 3)}", "promises"},
      {"{'descr': '|i1', 'fortran_order': False, 'shape': (4000000000, 4000000000)}",
       "more than a 64-bit machine"},
      {"{'descr': '|i1', 'fortran_order': False, 'shape': (1000000000000, 1)}",
       "promises"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 1)}",
       "more than a 64-bit machine"},
      {"{'descr': '|i1', 'fortran_order': False, 'shape': (99999999999999999999, 1)}",
       "beyond 2^63"},
      {"{'descr': '|i1', 'fortran_order': False, 'shape': (12,)}", "1 dimension"},
      {"{'descr': '|i1', 'fortran_order': False, 'shape': ()}", "0 dimension"},
      {"{'descr': '|i1', 'fortran_order': False, 'shape': (1, 3, 4)}", "3 dimension"},
      {"{'descr': '|i1', 'fortran_order': False, 'shape': (-3, 4)}", "cannot be read"},
      {"{'descr': '|i1', 'fortran_order': False, 'shape': (3 4)}", "cannot be read"},
      {"{'descr': '|i1', 'fortran_order': Maybe, 'shape': (3, 4)}", "cannot be read"},
      {"{'descr': '|i1', 'shape': (3, 4)}", "cannot be read"},
      {"{'fortran_order': False, 'shape': (3, 4)}", "cannot be read"},
      {"{'descr': '|i1', 'fortran_order': False}", "cannot be read"},
      {"{'descr': '|i1', 'fortran_order': False, 'shape': (3, 4), 'x': 1}",
       "cannot be read"},
      {"{'descr': '|i1', 'fortran_order': False, 'shape': (3, 4)} and more",
       "cannot be read"},
      {"['descr']", "cannot be read"},
      {"", "cannot be read"},
      {"{'descr': [('x', '|i1')], 'fortran_order': False, 'shape': (3, 4)}",
       "structured"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4)}", "'<f8'"},
      {"{'descr': '<i8', 'fortran_order': False, 'shape': (3, 4)}", "'<i8'"},
      {"{'descr': '|b1', 'fortran_order': False, 'shape': (3, 4)}", "'|b1'"},
      {"{'descr': '>i4', 'fortran_order': False, 'shape': (3, 1)}", "big-endian"},
  };
  const int8_t data[12] = {0};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    systole_matrix matrix;
    cr_assert_eq(read_built(&matrix, 1, cases[i].header, data, sizeof data),
                 SYSTOLE_EXIT_USAGE, "%s", cases[i].header);
    cr_assert_not_null(strstr(systole_story_text(), cases[i].sentence), "%s\n%s",
                       cases[i].header, systole_story_text());
    cr_assert_null(matrix.data);
  }
}

Test(npy, refuses_other_files) {
  systole_matrix matrix;
  save("hello, this is no matrix", 24);
  cr_assert_eq(systole_npy_read(&matrix, path), SYSTOLE_EXIT_USAGE);
  cr_assert_eq(systole_npy_read(&matrix, "/tmp"), SYSTOLE_EXIT_USAGE);
  cr_assert_eq(systole_npy_read(&matrix, "/dev/zero"), SYSTOLE_EXIT_USAGE);
  cr_assert_eq(systole_npy_read(&matrix, "/nonexistent/a.npy"), SYSTOLE_EXIT_USAGE);
  const bytes file =
      build(4, "{'descr': '|i1', 'fortran_order': False, 'shape': (1, 1)}", "x", 1);
  save(file.data, file.size);
  cr_assert_eq(systole_npy_read(&matrix, path), SYSTOLE_EXIT_USAGE);
  cr_assert_not_null(strstr(systole_story_text(), "version 4"));
}

/* uint8 operands on either side: the corrected product is the product of what was given.
 */
Test(operands, correct_what_moving_uint8_changed) {
  enum { M = 5, N = 4, K = 6 };
  for (int moved = 0; moved < 4; moved++) {
    int a[M * K], b[K * N];
    int8_t a8[M * K], b8[K * N];
    int32_t c[M * N];
    for (int i = 0; i < M * K; i++) {
      a[i] = moved & 1 ? (i * 37) % 256 : (i * 37) % 256 - 128;
      a8[i] = (int8_t)(moved & 1 ? a[i] - 128 : a[i]);
    }
    for (int i = 0; i < K * N; i++) {
      b[i] = moved & 2 ? (i * 91) % 256 : (i * 91) % 256 - 128;
      b8[i] = (int8_t)(moved & 2 ? b[i] - 128 : b[i]);
    }
    const systole_operands operands = {.m = M,
                                       .n = N,
                                       .k = K,
                                       .a = a8,
                                       .b = b8,
                                       .a_moved = moved & 1,
                                       .b_moved = (moved & 2) != 0};
    for (int i = 0; i < M; i++) {
      for (int j = 0; j < N; j++) {
        c[i * N + j] = 0;
        for (int p = 0; p < K; p++) c[i * N + j] += a8[i * K + p] * b8[p * N + j];
      }
    }
    cr_assert_eq(systole_operands_correct(c, &operands), 0);
    for (int i = 0; i < M; i++) {
      for (int j = 0; j < N; j++) {
        int32_t expected = 0;
        for (int p = 0; p < K; p++) expected += a[i * K + p] * b[p * N + j];
        cr_assert_eq(c[i * N + j], expected, "moved %d, element %d %d", moved, i, j);
      }
    }
  }
}

Test(operands, say_what_does_not_agree) {
  static const struct {
    systole_operands_request request;
    int code;
    const char *sentence;
  } cases[] = {
      {{NULL, NULL, 3, 3, -1, 1}, SYSTOLE_EXIT_USAGE, "-k is missing"},
      {{NULL, NULL, -1, 3, 3, 1}, SYSTOLE_EXIT_USAGE, "-m is missing"},
      {{NULL, NULL, INT64_MAX, 3, 3, 1},
       SYSTOLE_EXIT_USAGE,
       "more than a 64-bit machine"},
      {{NULL, NULL, 3037000500, 3037000500, 3037000500, 1},
       SYSTOLE_EXIT_USAGE,
       "more than"},
      {{NULL, NULL, 1 << 30, 1 << 30, 1, 1}, SYSTOLE_EXIT_EXHAUSTED, "GiB of memory"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    systole_operands operands;
    cr_assert_eq(systole_operands_get(&operands, &cases[i].request), cases[i].code,
                 "case %zu", i);
    cr_assert_not_null(strstr(systole_story_text(), cases[i].sentence), "%s",
                       systole_story_text());
    cr_assert_null(operands.a);
    cr_assert_null(operands.b);
  }
}

Test(operands, of_one_seed_are_the_same_everywhere) {
  int8_t once[1000], again[1000], other[1000];
  systole_draw_s8(once, 1000, 7, 1);
  systole_draw_s8(again, 1000, 7, 1);
  systole_draw_s8(other, 1000, 7, 2);
  cr_assert_arr_eq(once, again, 1000);
  cr_assert(memcmp(once, other, 1000) != 0);
  int low = 0, high = 0;
  for (int i = 0; i < 1000; i++) {
    low |= once[i] < -100;
    high |= once[i] > 100;
  }
  cr_assert(low && high);
}

Test(output, is_complete_or_not_there) {
  char folder[] = "/tmp/systole-output-XXXXXX", place[64], command[96];
  systole_output *output = NULL;
  cr_assert_not_null(mkdtemp(folder));
  snprintf(place, sizeof place, "%s/c.npy", folder);

  cr_assert_eq(systole_output_open(&output, place), 0);
  fputs("half", systole_output_file(output));
  cr_assert_neq(access(place, F_OK), 0, "not there before it is complete");
  systole_output_discard(output);
  cr_assert_eq(rmdir(folder), 0, "nothing is left of it");

  cr_assert_eq(mkdir(folder, 0700), 0);
  cr_assert_eq(systole_output_write(place, "first", 5), 0);
  cr_assert_eq(systole_output_open(&output, place), 0);
  fputs("second", systole_output_file(output));
  systole_output_discard(output);
  char text[16] = "";
  FILE *file = fopen(place, "r");
  cr_assert_not_null(fgets(text, sizeof text, file));
  fclose(file);
  cr_assert_str_eq(text, "first", "an older file stays when the new one is given up");
  cr_assert_eq(systole_output_write("/dev/full", "x", 1), SYSTOLE_EXIT_EXHAUSTED);
  cr_assert_eq(access("/dev/full", F_OK), 0);
  cr_assert_eq(systole_output_write(folder, "x", 1), SYSTOLE_EXIT_USAGE);
  cr_assert_eq(systole_output_write("/nonexistent/x", "x", 1), SYSTOLE_EXIT_USAGE);
  snprintf(command, sizeof command, "%s/missing/x", place);
  cr_assert_eq(systole_output_write(command, "x", 1), SYSTOLE_EXIT_USAGE);
  unlink(place);
  cr_assert_eq(rmdir(folder), 0);
}
