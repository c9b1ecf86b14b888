/* Encoding, packing, checks and the proof, each by itself. */
#include "program/program.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "program/check.h"
#include "program/pack.h"
#include "support/memory.h"
#include "support/random.h"

/* ---- fields
 * ----------------------------------------------------------------------------- */

Test(instruction, a_field_comes_back_and_touches_nothing_else) {
  systole_random random;
  systole_random_seed(&random, 1);
  for (int trial = 0; trial < 20000; trial++) {
    int bits = 1 + (int)systole_random_below(&random, 48);
    int lsb = (int)systole_random_below(&random, (uint64_t)(512 - bits + 1));
    systole_instruction i, before;
    for (int b = 0; b < 64; b++) i.bytes[b] = (uint8_t)systole_random_next(&random);
    before = i;
    uint64_t value = systole_random_next(&random) & (((uint64_t)1 << bits) - 1);
    systole_set_bits(&i, lsb, bits, (int64_t)value);
    cr_assert_eq(systole_get_bits(&i, lsb, bits), value);
    int64_t as_signed = systole_get_signed_bits(&i, lsb, bits);
    cr_assert_eq((uint64_t)as_signed & (((uint64_t)1 << bits) - 1), value);
    cr_assert_eq(as_signed < 0, (value >> (bits - 1)) & 1);
    for (int b = 0; b < 512; b++) {
      if (b >= lsb && b < lsb + bits) continue;
      cr_assert_eq((i.bytes[b / 8] ^ before.bytes[b / 8]) >> (b % 8) & 1, 0);
    }
  }
}

Test(instruction, bytes_lie_as_the_package_says) {
  systole_instruction i = systole_instruction_make(
      SYSTOLE_OP_LOAD, 1u << SYSTOLE_UNIT_ARRAY, 1u << SYSTOLE_UNIT_STORE);
  SYSTOLE_SET(&i, COPY_OFFSET, 0x123456789ABC);
  SYSTOLE_SET(&i, COPY_MEM_LINE_STRIDE, -64);
  cr_assert_eq(i.bytes[0], SYSTOLE_ISA_VERSION);
  cr_assert_eq(i.bytes[1], SYSTOLE_OP_LOAD);
  cr_assert_eq(i.bytes[2], 4);
  cr_assert_eq(i.bytes[3], 16);
  const uint8_t offset[] = {0xBC, 0x9A, 0x78, 0x56, 0x34, 0x12, 0, 0};
  cr_assert_arr_eq(i.bytes + SYSTOLE_COPY_OFFSET_LSB / 8, offset, 8);
  const uint8_t stride[] = {0xC0, 0xFF, 0xFF, 0xFF};
  cr_assert_arr_eq(i.bytes + SYSTOLE_COPY_MEM_LINE_STRIDE_LSB / 8, stride, 4);
  char text[256];
  systole_instruction_print(text, sizeof text, &i);
  cr_assert_str_eq(
      text, "LOAD wait=array give=store offset=20015998343868 mem_line_stride=-64");
}

Test(instruction, what_is_printed_can_be_read) {
  systole_random random;
  systole_random_seed(&random, 2);
  for (int trial = 0; trial < 5000; trial++) {
    const int opcode = 1 + trial % SYSTOLE_OP_END;
    systole_instruction i = systole_instruction_make(opcode, 0, 0), again;
    if (opcode != SYSTOLE_OP_END) {
      SYSTOLE_SET(&i, WAIT, (int64_t)systole_random_below(&random, 32));
      SYSTOLE_SET(&i, GIVE, (int64_t)systole_random_below(&random, 32));
    }
    for (const systole_field *f = systole_opcode_fields(opcode); f->name; f++) {
      const uint64_t value = systole_random_next(&random) >> (64 - f->bits);
      if (trial % 3) systole_set_bits(&i, f->lsb, f->bits, (int64_t)value);
    }
    char text[1024];
    systole_instruction_print(text, sizeof text, &i);
    cr_assert_eq(systole_instruction_parse(&again, text), SYSTOLE_OK, "%s: %s", text,
                 systole_last_error());
    cr_assert_arr_eq(&again, &i, sizeof i, "%s", text);
  }
}

Test(instruction, what_cannot_be_read_gets_a_sentence) {
  static const struct {
    const char *text, *story;
  } wrong[] = {
      {"", "empty"},
      {" \t\n", "empty"},
      {"LAOD rows=1", "\"LAOD\" is no instruction"},
      {"LOAD rows", "\"rows\" is no field of LOAD"},
      {"LOAD row=1", "\"row=1\" is no field of LOAD"},
      {"LOAD raw=1", "\"raw=1\" is no field of LOAD"},
      {"LOAD rows=", "a number of 0 to 65535"},
      {"LOAD rows=65536", "a number of 0 to 65535"},
      {"LOAD rows=-1", "a number of 0 to 65535"},
      {"LOAD rows=1x", "a number of 0 to 65535"},
      {"LOAD fill_byte=128", "a number of -128 to 127"},
      {"LOAD rows=99999999999999999999", "a number of 0 to 65535"},
      {"LOAD wait=lod", "names a unit that is none"},
      {"LOAD give=load+", "names a unit that is none"},
      {"LOAD give=", "names a unit that is none"},
      {"END rows=1", "is no field of END"},
  };
  for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
    systole_instruction i;
    cr_expect_eq(systole_instruction_parse(&i, wrong[k].text), SYSTOLE_ERR_ARGUMENT, "%s",
                 wrong[k].text);
    cr_expect_not_null(strstr(systole_last_error(), wrong[k].story), "%s: %s",
                       wrong[k].text, systole_last_error());
  }
}

Test(instruction, fields_of_an_opcode_do_not_overlap) {
  /* As many mask bits as the widths add up to. */
  static const struct {
    int opcode, bits;
  } expected[] = {{SYSTOLE_OP_END, 16}, {SYSTOLE_OP_WEIGHTS, 26 + 1 + 1 + 48 + 24}};
  for (size_t e = 0; e < sizeof expected / sizeof expected[0]; e++) {
    systole_instruction mask = systole_opcode_mask(expected[e].opcode);
    int bits = 0;
    for (int b = 0; b < 512; b++) bits += mask.bytes[b / 8] >> (b % 8) & 1;
    cr_assert_eq(bits, expected[e].bits, "%s: %d",
                 systole_opcode_name(expected[e].opcode), bits);
  }
}

/* ---- packing
 * ---------------------------------------------------------------------------- */

static void round_trip(int dim, int element, int64_t rows, int64_t columns, int64_t gap,
                       int64_t padding, uint64_t seed) {
  systole_layout layout = {
      rows, columns, (columns + gap) * element, rows + padding, element, dim, dim};
  int64_t blocks = (columns + dim - 1) / dim;
  size_t matrix_bytes = (size_t)(rows * layout.stride);
  size_t packed_bytes = (size_t)(blocks * systole_block_bytes(&layout));
  uint8_t *matrix = malloc(matrix_bytes + 1), *back = malloc(matrix_bytes + 1);
  uint8_t *packed = malloc(packed_bytes + 1);
  systole_random random;
  systole_random_seed(&random, seed);
  systole_random_int8(&random, (int8_t *)matrix, matrix_bytes);
  memset(packed, 0xEE, packed_bytes + 1);
  /* In two goes, as staging does. */
  int64_t half = blocks / 2;
  systole_pack_blocks(packed, &layout, matrix, 0, half);
  systole_pack_blocks(packed + half * systole_block_bytes(&layout), &layout, matrix, half,
                      blocks - half);
  cr_assert_eq(packed[packed_bytes], 0xEE);
  for (int64_t b = 0; b < blocks; b++) {
    for (int64_t r = 0; r < layout.block_rows; r++) {
      for (int64_t c = 0; c < dim; c++) {
        const uint8_t *at = packed + ((b * layout.block_rows + r) * dim + c) * element;
        int64_t column = b * dim + c;
        for (int e = 0; e < element; e++) {
          int expected = r < rows && column < columns
                             ? matrix[r * layout.stride + column * element + e]
                             : 0;
          cr_assert_eq(at[e], expected,
                       "dim=%d rows=%lld columns=%lld: block %lld row %lld "
                       "lane %lld",
                       dim, (long long)rows, (long long)columns, (long long)b,
                       (long long)r, (long long)c);
        }
      }
    }
  }
  memset(back, 0x77, matrix_bytes + 1);
  systole_unpack_blocks(back, &layout, packed, 0, half);
  systole_unpack_blocks(back, &layout, packed + half * systole_block_bytes(&layout), half,
                        blocks - half);
  cr_assert_eq(back[matrix_bytes], 0x77);
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t i = 0; i < layout.stride; i++) {
      int expected = i < columns * element ? matrix[r * layout.stride + i] : 0x77;
      cr_assert_eq(back[r * layout.stride + i], expected);
    }
  }
  free(matrix);
  free(back);
  free(packed);
}

Test(pack, there_and_back) {
  uint64_t seed = 1;
  for (int dim = 2; dim <= 256; dim *= 2) {
    for (int element = 1; element <= 4; element += 3) {
      const int64_t sizes[] = {1, dim - 1, dim, dim + 1, 3 * dim + 2, 67};
      for (size_t r = 0; r < 6; r++) {
        for (size_t c = 0; c < 6; c++) {
          round_trip(dim, element, sizes[r], sizes[c], (int64_t)(seed % 4),
                     (int64_t)(seed % 3), seed);
          seed++;
        }
      }
    }
  }
}

Test(pack, weights_in_blocks_are_tiles) {
  enum { kDim = 4, kK = 6, kN = 7 };
  int8_t b[kK][kN];
  for (int k = 0; k < kK; k++) {
    for (int j = 0; j < kN; j++) b[k][j] = (int8_t)(16 * k + j);
  }
  systole_layout layout = {kK, kN, kN, 8, 1, kDim, kDim};
  int8_t tiles[2][2][kDim][kDim]; /* [Nblock][Kblock][k][column] */
  systole_pack_blocks(tiles, &layout, b, 0, 2);
  cr_assert_eq(tiles[0][0][1][2], b[1][2]);
  cr_assert_eq(tiles[0][1][1][2], b[5][2]);
  cr_assert_eq(tiles[1][1][0][2], b[4][6]);
  cr_assert_eq(tiles[1][1][0][3], 0);
  cr_assert_eq(tiles[1][1][2][0], 0);
}

Test(pack, parameters_have_their_bits) {
  const int32_t bias[3] = {-1, 0x12345678, 5}, multiplier[3] = {-65536, 65535, -1};
  const uint8_t shift[3] = {0, 47, 31};
  systole_epilogue e = SYSTOLE_EPILOGUE_INIT;
  e.bias = bias;
  e.multiplier = multiplier;
  e.shift = shift;
  uint8_t out[2 * 64];
  systole_pack_params(out, 64, 2, 3, &e);
  const uint64_t expected[3] = {
      0xFFFFFFFFu | (uint64_t)0x10000 << 32,
      0x12345678u | (uint64_t)0x0FFFF << 32 | (uint64_t)47 << 49,
      5u | (uint64_t)0x1FFFF << 32 | (uint64_t)31 << 49};
  for (int j = 0; j < 3; j++) {
    uint64_t word = 0;
    for (int i = 0; i < 8; i++)
      word |= (uint64_t)out[j / 2 * 64 + j % 2 * 8 + i] << (8 * i);
    cr_assert_eq(word, expected[j], "column %d: %llx", j, (unsigned long long)word);
  }
  for (int i = 8; i < 64; i++) cr_assert_eq(out[64 + i], 0);
}

/* ---- checks
 * ----------------------------------------------------------------------------- */

static systole_geometry geometry(const char *what) {
  systole_geometry g;
  cr_assert_eq(systole_machine_geometry(&g, what), SYSTOLE_OK);
  return g;
}

static systole_instruction load(int64_t row, int64_t rows, unsigned wait, unsigned give) {
  systole_instruction i = systole_instruction_make(SYSTOLE_OP_LOAD, wait, give);
  SYSTOLE_SET(&i, COPY_UB_ROW, row);
  SYSTOLE_SET(&i, COPY_ROWS, rows);
  SYSTOLE_SET(&i, COPY_LINES, 1);
  SYSTOLE_SET(&i, COPY_BLOCKS, 1);
  return i;
}

static systole_instruction weights(int64_t tiles, unsigned wait, unsigned give) {
  systole_instruction i = systole_instruction_make(SYSTOLE_OP_WEIGHTS, wait, give);
  SYSTOLE_SET(&i, WEIGHTS_TILES, tiles);
  return i;
}

static systole_instruction matmul(int64_t rows, int64_t tiles, unsigned wait,
                                  unsigned give) {
  systole_instruction i = systole_instruction_make(SYSTOLE_OP_MATMUL, wait, give);
  SYSTOLE_SET(&i, MATMUL_ROWS0, rows);
  SYSTOLE_SET(&i, MATMUL_ROWS1, 1);
  SYSTOLE_SET(&i, MATMUL_ROW_STRIDE0, 1);
  SYSTOLE_SET(&i, MATMUL_RED0, tiles);
  SYSTOLE_SET(&i, MATMUL_RED1, 1);
  SYSTOLE_SET(&i, MATMUL_RED2, 1);
  return i;
}

static systole_instruction activate(int64_t acc_row, int64_t rows, unsigned wait,
                                    unsigned give) {
  systole_instruction i = systole_instruction_make(SYSTOLE_OP_ACTIVATE, wait, give);
  SYSTOLE_SET(&i, ACTIVATE_ACC_ROW, acc_row);
  SYSTOLE_SET(&i, ACTIVATE_ROWS0, rows);
  SYSTOLE_SET(&i, ACTIVATE_ROWS1, 1);
  SYSTOLE_SET(&i, ACTIVATE_RAW, 1);
  return i;
}

static systole_instruction store(int64_t rows, unsigned wait, unsigned give) {
  systole_instruction i = systole_instruction_make(SYSTOLE_OP_STORE, wait, give);
  SYSTOLE_SET(&i, COPY_ROWS, rows);
  SYSTOLE_SET(&i, COPY_LINES, 1);
  SYSTOLE_SET(&i, COPY_BLOCKS, 1);
  SYSTOLE_SET(&i, COPY_RAW, 1);
  return i;
}

static systole_instruction end(void) {
  return systole_instruction_make(SYSTOLE_OP_END, 0, 0);
}

enum {
  kLoad = 1u << SYSTOLE_UNIT_LOAD,
  kWeight = 1u << SYSTOLE_UNIT_WEIGHT,
  kArray = 1u << SYSTOLE_UNIT_ARRAY,
  kActivate = 1u << SYSTOLE_UNIT_ACTIVATE,
  kStore = 1u << SYSTOLE_UNIT_STORE
};

static void expect(systole_instruction i, const systole_geometry *g, int code,
                   uint32_t detail, const char *words) {
  uint32_t found;
  int result = systole_check_instruction(&i, g, &found);
  cr_assert_eq(result, code, "%s: code %d instead of %d", words, result, code);
  cr_assert_eq(found, detail, "%s: detail %u", words, found);
  char sentence[512];
  systole_error_sentence(sentence, sizeof sentence, result, SYSTOLE_UNIT_ARRAY, 12, found,
                         &i, g);
  cr_assert_not_null(strstr(sentence, words), "\"%s\" lacks \"%s\"", sentence, words);
  cr_assert_not_null(strstr(sentence, "instruction 12"), "%s", sentence);
}

Test(check, every_rule_has_its_code_and_sentence) {
  systole_geometry g = geometry("16");
  systole_instruction i = load(0, 1, 0, 0);
  expect(i, &g, SYSTOLE_ERROR_NONE, 0, "LOAD");
  SYSTOLE_SET(&i, VERSION, 9);
  expect(i, &g, SYSTOLE_ERROR_VERSION, 9, "version is 9");
  i = load(0, 1, 0, 0);
  SYSTOLE_SET(&i, OPCODE, 77);
  expect(i, &g, SYSTOLE_ERROR_OPCODE, 77, "77 is no opcode");
  i = load(0, 1, 0, 0);
  systole_set_bits(&i, 500, 1, 1);
  expect(i, &g, SYSTOLE_ERROR_RESERVED, 15, "reserved bit is set in its 32-bit word 15");
  i = load(0, 1, 0, 0);
  SYSTOLE_SET(&i, COPY_RAW, 1); /* a field of STORE only */
  expect(i, &g, SYSTOLE_ERROR_RESERVED, 1, "reserved");
  i = load(0, 1, 0, 0);
  SYSTOLE_SET(&i, COPY_BLOCKS, 0);
  expect(i, &g, SYSTOLE_ERROR_COUNT, 0, "count is zero");
  i = load(0, 0, 0, 0);
  expect(i, &g, SYSTOLE_ERROR_COUNT, 0, "count is zero");
  SYSTOLE_SET(&i, COPY_FILL_AFTER, 3); /* fill rows alone are fine */
  expect(i, &g, SYSTOLE_ERROR_NONE, 0, "LOAD");
  i = load(0, 1, 0, 0);
  SYSTOLE_SET(&i, COPY_LAST_LANES, 17);
  expect(i, &g, SYSTOLE_ERROR_COUNT, 0, "too large");
  i = load(0, 1, 0, 0);
  SYSTOLE_SET(&i, COPY_OFFSET, 8);
  expect(i, &g, SYSTOLE_ERROR_ALIGN, 0, "multiple of the port's 16 bytes");
  expect(load(16000, 385, 0, 0), &g, SYSTOLE_ERROR_UB_RANGE, 16384,
         "unified-buffer rows 16000 to 16384 are beyond the 16384");
  i = load(0, 4, 0, 0);
  SYSTOLE_SET(&i, COPY_BLOCKS, 3);
  SYSTOLE_SET(&i, COPY_UB_BLOCK_STRIDE, -1);
  expect(i, &g, SYSTOLE_ERROR_UB_RANGE, (uint32_t)-2, "rows -2 to 3");
  i = matmul(100, 1, 0, 0);
  SYSTOLE_SET(&i, MATMUL_ACC_ROW, 2000);
  expect(i, &g, SYSTOLE_ERROR_ACC_RANGE, 2000,
         "(MATMUL, array unit): accumulator rows 2000 to 2099 are beyond the 2048 that "
         "exist");
  SYSTOLE_SET(&i, MATMUL_ACC_ROW, 1000);
  expect(i, &g, SYSTOLE_ERROR_ACC_RANGE, 1000,
         "lie in both halves, which meet at row 1024");
  i = matmul(1, 0, 0, 0);
  expect(i, &g, SYSTOLE_ERROR_COUNT, 0, "count");
  i = matmul(2, 3, 0, 0);
  SYSTOLE_SET(&i, MATMUL_RED_STRIDE0, 16384);
  expect(i, &g, SYSTOLE_ERROR_UB_RANGE, 32769, "rows 0 to 32769");
  expect(weights(0, 0, 0), &g, SYSTOLE_ERROR_COUNT, 0, "count");
  i = activate(0, 1, 0, 0);
  SYSTOLE_SET(&i, ACTIVATE_RESIDUAL, 1);
  expect(i, &g, SYSTOLE_ERROR_UNSUPPORTED, 0, "raw rows have neither");
  SYSTOLE_SET(&i, ACTIVATE_RAW, 0);
  expect(i, &g, SYSTOLE_ERROR_UNSUPPORTED, 0, "built without");
  g.features = 1u << SYSTOLE_FEATURE_RESIDUAL;
  expect(i, &g, SYSTOLE_ERROR_NONE, 0, "ACTIVATE");
  SYSTOLE_SET(&i, ACTIVATE_RES_ROW, 20000);
  expect(i, &g, SYSTOLE_ERROR_UB_RANGE, 20000, "of the residual, 20000 to 20000");
  i = store(5, 0, 0);
  SYSTOLE_SET(&i, COPY_UB_ROW, 16383); /* raw rows do not come from the buffer */
  expect(i, &g, SYSTOLE_ERROR_NONE, 0, "STORE");
  SYSTOLE_SET(&i, COPY_RAW, 0);
  expect(i, &g, SYSTOLE_ERROR_UB_RANGE, 16387, "16383 to 16387");
}

Test(check, pools_stay_inside_a_half) {
  systole_geometry g = geometry("16");
  systole_instruction i = activate(0, 1, 0, 0);
  SYSTOLE_SET(&i, ACTIVATE_RAW, 0);
  SYSTOLE_SET(&i, ACTIVATE_ROWS0, 4);
  SYSTOLE_SET(&i, ACTIVATE_ROWS1, 5);
  SYSTOLE_SET(&i, ACTIVATE_POOL, SYSTOLE_POOL_MAX);
  SYSTOLE_SET(&i, ACTIVATE_POOL_STRIDE_H, 2);
  SYSTOLE_SET(&i, ACTIVATE_POOL_STRIDE_W, 2);
  SYSTOLE_SET(&i, ACTIVATE_POOL_IN_WIDTH, 8);
  SYSTOLE_SET(&i, ACTIVATE_POOL_IN_HEIGHT, 10);
  g.features = 1u << SYSTOLE_FEATURE_POOL;
  expect(i, &g, SYSTOLE_ERROR_COUNT, 0, "count"); /* no window */
  SYSTOLE_SET(&i, ACTIVATE_POOL_HEIGHT, 2);
  expect(i, &g, SYSTOLE_ERROR_COUNT, 0, "count");
  SYSTOLE_SET(&i, ACTIVATE_POOL_WIDTH, 2);
  expect(i, &g, SYSTOLE_ERROR_NONE, 0, "ACTIVATE");
  SYSTOLE_SET(&i, ACTIVATE_POOL, 3);
  expect(i, &g, SYSTOLE_ERROR_UNSUPPORTED, 0, "pool mode 3");
  SYSTOLE_SET(&i, ACTIVATE_POOL, SYSTOLE_POOL_AVERAGE);
  SYSTOLE_SET(&i, ACTIVATE_ACC_ROW, 1024 - 80);
  expect(i, &g, SYSTOLE_ERROR_NONE, 0, "ACTIVATE");
  SYSTOLE_SET(&i, ACTIVATE_ACC_ROW, 1024 - 79);
  expect(i, &g, SYSTOLE_ERROR_ACC_RANGE, 1024 - 79, "rows 945 to 1024");
  /* Only rows that a window reads count: the last line and column are left out here. */
  SYSTOLE_SET(&i, ACTIVATE_POOL_IN_WIDTH, 9);
  SYSTOLE_SET(&i, ACTIVATE_ACC_ROW, 1024 - 89);
  expect(i, &g, SYSTOLE_ERROR_NONE, 0, "ACTIVATE");
  SYSTOLE_SET(&i, ACTIVATE_ACC_ROW, 1024 - 88);
  expect(i, &g, SYSTOLE_ERROR_ACC_RANGE, 1024 - 88, "rows 936 to 1024");
  /* Windows of padding alone read nothing. */
  SYSTOLE_SET(&i, ACTIVATE_ROWS1, 1);
  SYSTOLE_SET(&i, ACTIVATE_POOL_PAD_TOP, 2);
  expect(i, &g, SYSTOLE_ERROR_NONE, 0, "ACTIVATE");
  SYSTOLE_SET(&i, ACTIVATE_UB_ROW, 16384);
  expect(i, &g, SYSTOLE_ERROR_UB_RANGE, 16384, "16384");
}

Test(check, causes_that_only_a_device_sees_have_sentences) {
  systole_geometry g = geometry("16");
  char s[512];
  systole_error_sentence(s, sizeof s, SYSTOLE_ERROR_SLAVE, SYSTOLE_UNIT_LOAD, 3, 0x1000,
                         NULL, &g);
  cr_assert_str_eq(
      s,
      "instruction 3 (load unit): the memory answered SLVERR to the burst at "
      "address ...00001000");
  systole_instruction i = matmul(1, 1, kLoad, 0);
  systole_error_sentence(s, sizeof s, SYSTOLE_ERROR_TOKEN, SYSTOLE_UNIT_ARRAY, 4, kLoad,
                         &i, &g);
  cr_assert_str_eq(
      s,
      "instruction 4 (MATMUL, array unit): it waits for a token from the load "
      "unit that never came");
  systole_error_sentence(s, sizeof s, SYSTOLE_ERROR_TOKEN, SYSTOLE_UNIT_STORE, 5, 0, NULL,
                         &g);
  cr_assert_not_null(strstr(s, "it waits for raw rows that no ACTIVATE makes"), "%s", s);
  for (int code = 0; code <= SYSTOLE_ERROR_NO_END + 1; code++) {
    systole_error_sentence(s, sizeof s, code, SYSTOLE_UNIT_FETCH, 1, 2, NULL, &g);
    cr_assert_gt(strlen(s), 30);
  }
}

/* ---- the proof
 * -------------------------------------------------------------------------- */

static void rejected(const systole_instruction *program, uint32_t count,
                     const systole_geometry *g, const char *words) {
  cr_assert_eq(systole_prove(program, count, g), SYSTOLE_ERR_ARGUMENT, "not rejected: %s",
               words);
  cr_assert_not_null(strstr(systole_last_error(), words), "\"%s\" lacks \"%s\"",
                     systole_last_error(), words);
}

Test(prove, accepts_a_hand_written_product) {
  systole_geometry g = geometry("16");
  const systole_instruction good[] = {
      load(0, 8, 0, kArray),     weights(1, 0, 0), matmul(8, 1, kLoad, kActivate),
      activate(0, 8, kArray, 0), store(8, 0, 0),   end()};
  cr_assert_eq(systole_prove(good, 6, &g), SYSTOLE_OK, "%s", systole_last_error());
}

Test(prove, rejects_what_cannot_end) {
  systole_geometry g = geometry("16");
  const systole_instruction no_token[] = {weights(1, 0, 0), matmul(8, 1, kLoad, 0),
                                          end()};
  rejected(no_token, 3, &g,
           "instruction 1 (MATMUL) waits for a token from the load unit");
  const systole_instruction circle[] = {load(0, 1, kArray, kArray), weights(1, 0, 0),
                                        matmul(1, 1, kLoad, kLoad), end()};
  rejected(circle, 4, &g, "instruction 0 (LOAD) waits for a token from the array unit");
  const systole_instruction few_tiles[] = {load(0, 1, 0, kArray), weights(2, 0, 0),
                                           matmul(1, 3, kLoad, 0), end()};
  rejected(few_tiles, 4, &g, "waits for 1 weight tiles");
  const systole_instruction many_tiles[] = {weights(40, 0, 0), matmul(1, 3, 0, 0), end()};
  rejected(many_tiles, 3, &g, "room in the weight FIFO");
  const systole_instruction rows_differ[] = {weights(1, 0, 0), matmul(8, 1, 0, kActivate),
                                             activate(0, 8, kArray, 0), store(7, 0, 0),
                                             end()};
  rejected(rows_differ, 5, &g, "a STORE that takes 1 raw rows");
  const systole_instruction no_rows[] = {store(7, 0, 0), end()};
  rejected(no_rows, 2, &g, "an ACTIVATE that hands over 7 raw rows");
}

Test(prove, sees_a_full_queue_in_front_of_what_is_needed) {
  systole_geometry g = geometry("16");
  systole_instruction program[16];
  uint32_t n = 0;
  /* Four MATMULs wait for a LOAD that stands behind a fifth. */
  program[n++] = weights(6, 0, 0);
  for (int i = 0; i < 5; i++) program[n++] = matmul(1, 1, kLoad, 0);
  for (int i = 0; i < 5; i++) program[n++] = load(0, 1, 0, kArray);
  program[n++] = matmul(1, 1, 0, 0);
  program[n++] = end();
  rejected(program, n, &g, "instruction 1 (MATMUL) waits for a token from the load unit");
  /* With one MATMUL less in front it runs. */
  program[5] = program[6];
  program[10] = matmul(1, 1, kLoad, 0);
  cr_assert_eq(systole_prove(program, n, &g), SYSTOLE_OK, "%s", systole_last_error());
}

Test(prove, rejects_left_overs_and_overflow) {
  systole_geometry g = geometry("16");
  const systole_instruction token[] = {load(0, 1, 0, kArray), end()};
  rejected(token, 2, &g, "leaves 1 tokens from the load unit to the array unit");
  const systole_instruction tile[] = {weights(2, 0, 0), matmul(1, 1, 0, 0), end()};
  rejected(tile, 3, &g, "leaves 1 weight tiles");
  systole_instruction many[256];
  uint32_t n = 0;
  for (int i = 0; i < 64; i++) many[n++] = load(0, 1, 0, kArray);
  many[n++] = weights(64, 0, 0);
  for (int i = 0; i < 64; i++) many[n++] = matmul(1, 1, kLoad, 0);
  many[n++] = end();
  rejected(many, n, &g, "more than 63 tokens");
}

Test(prove, rejects_bad_instructions_and_ends) {
  systole_geometry g = geometry("16");
  const systole_instruction range[] = {load(16383, 2, 0, 0), end()};
  rejected(range, 2, &g,
           "instruction 0 (LOAD, load unit): unified-buffer rows 16383 to 16384");
  const systole_instruction no_end[] = {load(0, 1, 0, 0)};
  rejected(no_end, 1, &g, "END");
  const systole_instruction two_ends[] = {end(), end()};
  rejected(two_ends, 2, &g, "END must be the last");
  rejected(NULL, 0, &g, "empty");
}

/* A program that the prover calls good runs on the functional card, and one that it calls
 * stuck does not end there either, whatever the order: random programs of tokens. */
Test(prove, agrees_with_execution) {
  systole_device *device;
  cr_assert_eq(systole_machine_open(&device, "4,ub=64,acc=16,tiles=2", NULL), SYSTOLE_OK);
  systole_geometry g = geometry("4,ub=64,acc=16,tiles=2");
  systole_buffer *program, *tiles, *memory;
  cr_assert_eq(systole_buffer_create(&program, device, SYSTOLE_PORT_GMEM1, 4096),
               SYSTOLE_OK);
  cr_assert_eq(systole_buffer_create(&tiles, device, SYSTOLE_PORT_GMEM1, 4096),
               SYSTOLE_OK);
  cr_assert_eq(systole_buffer_create(&memory, device, SYSTOLE_PORT_GMEM0, 4096),
               SYSTOLE_OK);
  systole_random random;
  systole_random_seed(&random, 11);
  int good = 0, stuck = 0;
  for (int trial = 0; trial < 4000; trial++) {
    systole_instruction stream[24];
    uint32_t count = 6 + (uint32_t)systole_random_below(&random, 16);
    int tokens[5][5] = {{0}};
    int64_t tiles_left = 0, rows_left = 0; /* fetched and not used; made and not stored */
    for (uint32_t i = 0; i < count; i++) {
      int unit = (int)systole_random_below(&random, 5);
      if (i + 2 >= count && tiles_left != 0) {
        unit = tiles_left > 0 ? SYSTOLE_UNIT_ARRAY : SYSTOLE_UNIT_WEIGHT;
      } else if (i + 2 >= count && rows_left != 0) {
        unit = rows_left > 0 ? SYSTOLE_UNIT_STORE : SYSTOLE_UNIT_ACTIVATE;
      }
      int closing = i + 2 >= count;
      unsigned wait = 0, give = 0;
      /* Waits mostly for tokens that earlier instructions give. */
      for (int other = 0; other < 5; other++) {
        int likely = tokens[other][unit] > 0 ? 2 : 200;
        if (systole_random_below(&random, (uint64_t)likely) == 0) {
          wait |= 1u << other;
          tokens[other][unit]--;
        }
        if (systole_random_below(&random, 5) == 0) {
          give |= 1u << other;
          tokens[unit][other]++;
        }
      }
      int64_t amount = 1 + (int64_t)systole_random_below(&random, 3);
      switch (unit) {
        case SYSTOLE_UNIT_LOAD:
          stream[i] = load(1, 1, wait, give); /* no other unit touches row 1 */
          break;
        case SYSTOLE_UNIT_WEIGHT:
          if (closing && tiles_left < 0) amount = -tiles_left;
          stream[i] = weights(amount, wait, give);
          tiles_left += amount;
          break;
        case SYSTOLE_UNIT_ARRAY:
          if (closing && tiles_left > 0) amount = tiles_left;
          stream[i] = matmul(1, amount, wait, give);
          tiles_left -= amount;
          break;
        case SYSTOLE_UNIT_ACTIVATE:
          if (closing && rows_left < 0 && rows_left >= -8) amount = -rows_left;
          stream[i] = activate(8, amount, wait, give); /* the other half */
          rows_left += amount;
          break;
        default:
          if (closing && rows_left > 0) amount = rows_left;
          stream[i] = store(amount, wait, give);
          rows_left -= amount;
          break;
      }
    }
    stream[count++] = end();
    systole_status proof = systole_prove(stream, count, &g);
    int left_over = proof != SYSTOLE_OK && strstr(systole_last_error(), "leaves") != NULL;
    cr_assert_eq(systole_buffer_write(program, 0, stream, count * sizeof stream[0]),
                 SYSTOLE_OK);
    systole_card *card = systole_machine_card(device);
    systole_machine_seed(card, (uint64_t)trial);
    systole_status run = systole_run(device, program, count, tiles, memory, NULL);
    cr_assert_not(systole_machine_raced(card), "trial %d: %s", trial,
                  systole_last_error());
    int runs = proof == SYSTOLE_OK || left_over;
    /* The prover counts an executing instruction as one of its queue, hardware does not:
     * what it accepts must run, what it rejects may. */
    if (runs) cr_assert_eq(run, SYSTOLE_OK, "trial %d: %s", trial, systole_last_error());
    if (run != SYSTOLE_OK) stuck++;
    good += runs;
  }
  cr_assert(good > 100 && stuck > 100, "%d good and %d stuck programs prove little", good,
            stuck);
  systole_buffer_free(program);
  systole_buffer_free(tiles);
  systole_buffer_free(memory);
  systole_device_close(device);
}

/* ---- plans
 * ------------------------------------------------------------------------------ */

Test(plan, respects_every_buffer) {
  static const char *const machines[] = {"2",
                                         "4",
                                         "8",
                                         "16",
                                         "32",
                                         "64",
                                         "128",
                                         "256",
                                         "2,ub=8,acc=4,tiles=1",
                                         "8,ub=32,acc=16,axi=4",
                                         "16,ub=256,acc=64,axi=32",
                                         "64,ub=512,acc=128"};
  const int64_t sizes[] = {1, 2, 3, 15, 16, 17, 100, 128, 129, 512, 1000, 4096, 70000};
  enum { kSizes = sizeof sizes / sizeof sizes[0] };
  for (size_t g_index = 0; g_index < sizeof machines / sizeof machines[0]; g_index++) {
    systole_geometry g = geometry(machines[g_index]);
    for (int i = 0; i < kSizes * kSizes * kSizes * 3; i++) {
      int64_t m = sizes[i % kSizes], n = sizes[i / kSizes % kSizes];
      int64_t k = sizes[i / kSizes / kSizes % kSizes];
      int kind = i / kSizes / kSizes / kSizes;
      systole_weights_layout w;
      cr_assert_eq(systole_weights_layout_make(&w, g.dim, g.axi_bytes, n, k), SYSTOLE_OK);
      systole_gemm_spec spec = {m, 0, w.n_blocks, kind == 2, kind >= 1, 0, -128, 127};
      systole_plan p;
      cr_assert_eq(systole_plan_make(&p, &g, &w, &spec), SYSTOLE_OK, "%s: %s",
                   machines[g_index], systole_last_error());
      char at[128];
      snprintf(at, sizeof at, "%s M=%lld N=%lld K=%lld kind=%d", machines[g_index],
               (long long)m, (long long)n, (long long)k, kind);
      int64_t areas = kind == 2 ? 2 : 0;
      cr_assert_leq(p.ring * p.region + areas * p.result_rows, g.ub_rows, "%s", at);
      cr_assert_leq(p.group * p.strip, g.acc_rows / 2, "%s", at);
      cr_assert(p.strips * p.strip >= m && (p.strips - 1) * p.strip < m, "%s", at);
      cr_assert(p.chunks * p.chunk >= w.k_blocks && (p.chunks - 1) * p.chunk < w.k_blocks,
                "%s", at);
      cr_assert(p.ring >= 2 || p.strips * p.chunks == 1, "%s", at);
      cr_assert_eq(p.strip * g.dim % g.axi_bytes, 0, "%s", at);
      cr_assert_eq(p.chunks > 1 ? p.chunk * g.dim * g.dim % g.axi_bytes : 0, 0, "%s", at);
      cr_assert_geq(p.block_rows, m, "%s", at);
      cr_assert_eq(p.block_rows * g.dim % 64, 0, "%s", at);
      cr_assert_eq(p.c_offset % 64, 0, "%s", at);
      cr_assert_eq(w.block_bytes % 64, 0, "%s", at);
      cr_assert_eq(w.params_offset % 64, 0, "%s", at);
    }
  }
}

Test(plan, refuses_what_no_field_can_hold) {
  systole_weights_layout w;
  cr_assert_eq(
      systole_weights_layout_make(&w, 16, 16, (int64_t)1 << 40, (int64_t)1 << 40),
      SYSTOLE_ERR_ARGUMENT);
  systole_geometry g = geometry("16");
  cr_assert_eq(systole_weights_layout_make(&w, 16, 16, 16, 16), SYSTOLE_OK);
  systole_gemm_spec spec = {(int64_t)1 << 50, 0, 1, 0, 0, 0, 0, 0};
  systole_plan p;
  cr_assert_eq(systole_plan_make(&p, &g, &w, &spec), SYSTOLE_ERR_ARGUMENT);
  spec.m = 1;
  g.ub_rows = 1;
  cr_assert_eq(systole_plan_make(&p, &g, &w, &spec), SYSTOLE_ERR_UNSUPPORTED);
  cr_assert_not_null(strstr(systole_last_error(), "too small"));
}

/* A short batch needs few instructions: one MATMUL for each column block and little else.
 */
Test(schedule, is_short) {
  systole_geometry g = geometry("16");
  systole_weights_layout w;
  cr_assert_eq(systole_weights_layout_make(&w, 16, 16, 4096, 1024), SYSTOLE_OK);
  systole_gemm_spec spec = {1, 0, w.n_blocks, 0, 0, 0, 0, 0};
  systole_program *p;
  cr_assert_eq(systole_program_make(&p, &g, &w, &spec), SYSTOLE_OK, "%s",
               systole_last_error());
  cr_assert_leq(p->count, 256 + 30, "%u instructions", p->count);
  systole_program_free(p);
  /* 4096 cubed: three for each of 32 x 256 steps. */
  cr_assert_eq(systole_weights_layout_make(&w, 16, 16, 4096, 4096), SYSTOLE_OK);
  spec.m = 4096;
  cr_assert_eq(systole_program_make(&p, &g, &w, &spec), SYSTOLE_OK, "%s",
               systole_last_error());
  cr_assert_leq(p->count, (uint32_t)(4 * p->plan.steps));
  systole_program_free(p);
}
