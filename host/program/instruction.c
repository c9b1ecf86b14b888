#include "program/instruction.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/error.h"

#define UNSIGNED(name, field) \
  { name, SYSTOLE_##field##_LSB, SYSTOLE_##field##_BITS, 0 }
#define SIGNED(name, field) \
  { name, SYSTOLE_##field##_LSB, SYSTOLE_##field##_BITS, 1 }

static const systole_field common_fields[] = {UNSIGNED("version", VERSION),
                                              UNSIGNED("opcode", OPCODE),
                                              UNSIGNED("wait", WAIT),
                                              UNSIGNED("give", GIVE),
                                              {NULL, 0, 0, 0}};

static const systole_field load_fields[] = {
    UNSIGNED("ub_row", COPY_UB_ROW),
    UNSIGNED("offset", COPY_OFFSET),
    UNSIGNED("rows", COPY_ROWS),
    UNSIGNED("lines", COPY_LINES),
    UNSIGNED("blocks", COPY_BLOCKS),
    UNSIGNED("fill_before", COPY_FILL_BEFORE),
    UNSIGNED("fill_after", COPY_FILL_AFTER),
    SIGNED("fill_byte", COPY_FILL_BYTE),
    SIGNED("mem_line_stride", COPY_MEM_LINE_STRIDE),
    SIGNED("mem_block_stride", COPY_MEM_BLOCK_STRIDE),
    SIGNED("ub_line_stride", COPY_UB_LINE_STRIDE),
    SIGNED("ub_block_stride", COPY_UB_BLOCK_STRIDE),
    UNSIGNED("last_lanes", COPY_LAST_LANES),
    {NULL, 0, 0, 0}};

static const systole_field store_fields[] = {
    UNSIGNED("ub_row", COPY_UB_ROW),
    UNSIGNED("raw", COPY_RAW),
    UNSIGNED("offset", COPY_OFFSET),
    UNSIGNED("rows", COPY_ROWS),
    UNSIGNED("lines", COPY_LINES),
    UNSIGNED("blocks", COPY_BLOCKS),
    SIGNED("mem_line_stride", COPY_MEM_LINE_STRIDE),
    SIGNED("mem_block_stride", COPY_MEM_BLOCK_STRIDE),
    SIGNED("ub_line_stride", COPY_UB_LINE_STRIDE),
    SIGNED("ub_block_stride", COPY_UB_BLOCK_STRIDE),
    UNSIGNED("raw_lanes", COPY_RAW_LANES),
    {NULL, 0, 0, 0}};

static const systole_field weights_fields[] = {UNSIGNED("params", WEIGHTS_PARAMS),
                                               UNSIGNED("bank", WEIGHTS_BANK),
                                               UNSIGNED("offset", WEIGHTS_OFFSET),
                                               UNSIGNED("tiles", WEIGHTS_TILES),
                                               {NULL, 0, 0, 0}};

static const systole_field matmul_fields[] = {UNSIGNED("ub_row", MATMUL_UB_ROW),
                                              UNSIGNED("accumulate", MATMUL_ACCUMULATE),
                                              UNSIGNED("acc_row", MATMUL_ACC_ROW),
                                              UNSIGNED("rows0", MATMUL_ROWS0),
                                              UNSIGNED("rows1", MATMUL_ROWS1),
                                              SIGNED("row_stride0", MATMUL_ROW_STRIDE0),
                                              SIGNED("row_stride1", MATMUL_ROW_STRIDE1),
                                              UNSIGNED("red0", MATMUL_RED0),
                                              UNSIGNED("red1", MATMUL_RED1),
                                              UNSIGNED("red2", MATMUL_RED2),
                                              SIGNED("red_stride0", MATMUL_RED_STRIDE0),
                                              SIGNED("red_stride1", MATMUL_RED_STRIDE1),
                                              SIGNED("red_stride2", MATMUL_RED_STRIDE2),
                                              {NULL, 0, 0, 0}};

static const systole_field activate_fields[] = {
    UNSIGNED("ub_row", ACTIVATE_UB_ROW),
    UNSIGNED("acc_row", ACTIVATE_ACC_ROW),
    UNSIGNED("rows0", ACTIVATE_ROWS0),
    UNSIGNED("rows1", ACTIVATE_ROWS1),
    SIGNED("ub_stride0", ACTIVATE_UB_STRIDE0),
    SIGNED("ub_stride1", ACTIVATE_UB_STRIDE1),
    UNSIGNED("raw", ACTIVATE_RAW),
    UNSIGNED("bank", ACTIVATE_BANK),
    UNSIGNED("bias", ACTIVATE_BIAS),
    UNSIGNED("residual", ACTIVATE_RESIDUAL),
    UNSIGNED("pool", ACTIVATE_POOL),
    SIGNED("zero_point", ACTIVATE_ZERO_POINT),
    SIGNED("clamp_low", ACTIVATE_CLAMP_LOW),
    SIGNED("clamp_high", ACTIVATE_CLAMP_HIGH),
    UNSIGNED("res_row", ACTIVATE_RES_ROW),
    SIGNED("res_stride0", ACTIVATE_RES_STRIDE0),
    SIGNED("res_stride1", ACTIVATE_RES_STRIDE1),
    SIGNED("res_mul", ACTIVATE_RES_MUL),
    SIGNED("res_zero", ACTIVATE_RES_ZERO),
    UNSIGNED("pool_height", ACTIVATE_POOL_HEIGHT),
    UNSIGNED("pool_width", ACTIVATE_POOL_WIDTH),
    UNSIGNED("pool_stride_h", ACTIVATE_POOL_STRIDE_H),
    UNSIGNED("pool_stride_w", ACTIVATE_POOL_STRIDE_W),
    UNSIGNED("pool_pad_top", ACTIVATE_POOL_PAD_TOP),
    UNSIGNED("pool_pad_left", ACTIVATE_POOL_PAD_LEFT),
    UNSIGNED("pool_in_width", ACTIVATE_POOL_IN_WIDTH),
    UNSIGNED("pool_in_height", ACTIVATE_POOL_IN_HEIGHT),
    {NULL, 0, 0, 0}};

static const systole_field no_fields[] = {{NULL, 0, 0, 0}};

typedef struct opcode_row {
  int opcode;
  const char *name;
  int unit;
  const systole_field *fields;
} opcode_row;

static const opcode_row opcodes[] = {
    {SYSTOLE_OP_LOAD, "LOAD", SYSTOLE_UNIT_LOAD, load_fields},
    {SYSTOLE_OP_WEIGHTS, "WEIGHTS", SYSTOLE_UNIT_WEIGHT, weights_fields},
    {SYSTOLE_OP_MATMUL, "MATMUL", SYSTOLE_UNIT_ARRAY, matmul_fields},
    {SYSTOLE_OP_ACTIVATE, "ACTIVATE", SYSTOLE_UNIT_ACTIVATE, activate_fields},
    {SYSTOLE_OP_STORE, "STORE", SYSTOLE_UNIT_STORE, store_fields},
    {SYSTOLE_OP_END, "END", SYSTOLE_UNIT_DISPATCH, no_fields},
};

static const opcode_row *find_opcode(int opcode) {
  for (size_t i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++) {
    if (opcodes[i].opcode == opcode) return &opcodes[i];
  }
  return NULL;
}

systole_instruction systole_instruction_make(int opcode, unsigned wait, unsigned give) {
  systole_instruction instruction;
  memset(&instruction, 0, sizeof instruction);
  SYSTOLE_SET(&instruction, VERSION, SYSTOLE_ISA_VERSION);
  SYSTOLE_SET(&instruction, OPCODE, opcode);
  SYSTOLE_SET(&instruction, WAIT, wait);
  SYSTOLE_SET(&instruction, GIVE, give);
  return instruction;
}

int systole_opcode_unit(int opcode) {
  const opcode_row *row = find_opcode(opcode);
  return row == NULL ? -1 : row->unit;
}

const char *systole_opcode_name(int opcode) {
  const opcode_row *row = find_opcode(opcode);
  return row == NULL ? "?" : row->name;
}

const char *systole_unit_name(int unit) {
  switch (unit) {
    case SYSTOLE_UNIT_LOAD:
      return "load";
    case SYSTOLE_UNIT_WEIGHT:
      return "weight";
    case SYSTOLE_UNIT_ARRAY:
      return "array";
    case SYSTOLE_UNIT_ACTIVATE:
      return "activation";
    case SYSTOLE_UNIT_STORE:
      return "store";
    case SYSTOLE_UNIT_FETCH:
      return "fetch";
    case SYSTOLE_UNIT_DISPATCH:
      return "dispatch";
    default:
      return "?";
  }
}

const systole_field *systole_opcode_fields(int opcode) {
  const opcode_row *row = find_opcode(opcode);
  return row == NULL ? no_fields : row->fields;
}

static void set_ones(uint64_t words[SYSTOLE_INSTRUCTION_BITS / 64],
                     const systole_field *f) {
  const uint64_t ones = ((uint64_t)1 << f->bits) - 1;
  const int shift = f->lsb % 64;
  words[f->lsb / 64] |= ones << shift;
  if (shift + f->bits > 64) words[f->lsb / 64 + 1] |= ones >> (64 - shift);
}

systole_instruction systole_opcode_mask(int opcode) {
  uint64_t words[SYSTOLE_INSTRUCTION_BITS / 64] = {0};
  const opcode_row *row = find_opcode(opcode);
  for (const systole_field *f = common_fields; f->name != NULL; f++) {
    /* END has no unit, so it exchanges no tokens. */
    int is_token_mask = f->lsb >= SYSTOLE_WAIT_LSB;
    if (is_token_mask && opcode == SYSTOLE_OP_END) continue;
    set_ones(words, f);
  }
  if (row != NULL) {
    for (const systole_field *f = row->fields; f->name != NULL; f++) set_ones(words, f);
  }
  systole_instruction mask;
  for (int b = 0; b < SYSTOLE_INSTRUCTION_BYTES; b++) {
    mask.bytes[b] = (uint8_t)(words[b / 8] >> (b % 8 * 8));
  }
  return mask;
}

static void append(char *out, size_t bytes, const char *text) {
  size_t used = strlen(out);
  if (used + 1 < bytes) snprintf(out + used, bytes - used, "%s", text);
}

static void append_units(char *out, size_t bytes, const char *label, unsigned mask) {
  if (mask == 0) return;
  append(out, bytes, label);
  const char *separator = "";
  for (int unit = 0; unit < SYSTOLE_UNITS; unit++) {
    if (((mask >> unit) & 1u) == 0) continue;
    append(out, bytes, separator);
    append(out, bytes, systole_unit_name(unit));
    separator = "+";
  }
}

void systole_instruction_print(char *out, size_t bytes,
                               const systole_instruction *instruction) {
  if (bytes == 0) return;
  out[0] = 0;
  const opcode_row *row = find_opcode((int)SYSTOLE_GET(instruction, OPCODE));
  if (row == NULL) {
    snprintf(out, bytes, "opcode %u", (unsigned)SYSTOLE_GET(instruction, OPCODE));
    return;
  }
  append(out, bytes, row->name);
  append_units(out, bytes, " wait=", (unsigned)SYSTOLE_GET(instruction, WAIT));
  append_units(out, bytes, " give=", (unsigned)SYSTOLE_GET(instruction, GIVE));
  for (const systole_field *f = row->fields; f->name != NULL; f++) {
    int64_t value = f->is_signed
                        ? systole_get_signed_bits(instruction, f->lsb, f->bits)
                        : (int64_t)systole_get_bits(instruction, f->lsb, f->bits);
    if (value == 0) continue;
    char text[64];
    snprintf(text, sizeof text, " %s=%lld", f->name, (long long)value);
    append(out, bytes, text);
  }
}

/* ---- reading -------------------------------------------------------------------------
 */

static int same(const char *name, const char *text, size_t length) {
  return strlen(name) == length && strncmp(name, text, length) == 0;
}

/* "load+array" as a mask, -1 when a name is none. */
static int parse_units(const char *text, size_t length) {
  int mask = 0;
  const char *end = text + length;
  while (text <= end) {
    const char *plus = memchr(text, '+', (size_t)(end - text));
    const size_t name = (size_t)((plus == NULL ? end : plus) - text);
    int unit = 0;
    while (unit < SYSTOLE_UNITS && !same(systole_unit_name(unit), text, name)) unit++;
    if (unit == SYSTOLE_UNITS) return -1;
    mask |= 1 << unit;
    text += name + 1;
  }
  return mask;
}

/* One "name=value". */
static systole_status parse_field(systole_instruction *out, const opcode_row *row,
                                  const char *text, size_t length) {
  const char *equals = memchr(text, '=', length);
  const size_t name = equals == NULL ? length : (size_t)(equals - text);
  if (equals != NULL && (same("wait", text, name) || same("give", text, name))) {
    const int mask = parse_units(equals + 1, length - name - 1);
    if (mask < 0) {
      return systole_fail(SYSTOLE_ERR_ARGUMENT, "\"%.*s\" names a unit that is none",
                          (int)length, text);
    }
    if (*text == 'w') SYSTOLE_SET(out, WAIT, mask);
    if (*text == 'g') SYSTOLE_SET(out, GIVE, mask);
    return SYSTOLE_OK;
  }
  const systole_field *f = row->fields;
  while (f->name != NULL && !same(f->name, text, name)) f++;
  if (f->name == NULL || equals == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "\"%.*s\" is no field of %s", (int)length,
                        text, row->name);
  }
  char *end = NULL;
  errno = 0;
  const long long value = strtoll(equals + 1, &end, 10);
  const long long most = (1LL << (f->bits - f->is_signed)) - 1;
  const long long least = f->is_signed ? -most - 1 : 0;
  if (errno != 0 || end == equals + 1 || end != text + length || value < least ||
      value > most) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "\"%.*s\": the value of %s is a number of %lld to %lld",
                        (int)length, text, f->name, least, most);
  }
  systole_set_bits(out, f->lsb, f->bits, value);
  return SYSTOLE_OK;
}

systole_status systole_instruction_parse(systole_instruction *out, const char *text) {
  static const char blanks[] = " \t\r\n";
  const opcode_row *row = NULL;
  for (text += strspn(text, blanks); *text != 0; text += strspn(text, blanks)) {
    const size_t length = strcspn(text, blanks);
    systole_status status = SYSTOLE_OK;
    if (row == NULL) {
      for (size_t i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++) {
        if (same(opcodes[i].name, text, length)) row = &opcodes[i];
      }
      if (row == NULL) {
        return systole_fail(SYSTOLE_ERR_ARGUMENT, "\"%.*s\" is no instruction",
                            (int)length, text);
      }
      *out = systole_instruction_make(row->opcode, 0, 0);
    } else {
      status = parse_field(out, row, text, length);
    }
    if (status != SYSTOLE_OK) return status;
    text += length;
  }
  if (row == NULL) return systole_fail(SYSTOLE_ERR_ARGUMENT, "the instruction is empty");
  return SYSTOLE_OK;
}
