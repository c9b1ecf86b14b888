#include "program/check.h"

#include <stdio.h>
#include <string.h>

/* First and last value that base + i * stride (i < count), over several loops, takes. */
typedef struct span {
  int64_t first, last;
} span;

static void widen(span *s, int64_t count, int64_t stride) {
  int64_t reach = (count - 1) * stride;
  if (reach > 0) s->last += reach;
  if (reach < 0) s->first += reach;
}

static int outside(const span *s, int64_t limit, uint32_t *detail) {
  if (s->first < 0) {
    *detail = (uint32_t)s->first;
    return 1;
  }
  if (s->last >= limit) {
    *detail = (uint32_t)s->last;
    return 1;
  }
  return 0;
}

static span copy_span(const systole_instruction *i) {
  int64_t line = (int64_t)(SYSTOLE_GET(i, COPY_ROWS) + SYSTOLE_GET(i, COPY_FILL_BEFORE) +
                           SYSTOLE_GET(i, COPY_FILL_AFTER));
  span s = {(int64_t)SYSTOLE_GET(i, COPY_UB_ROW), (int64_t)SYSTOLE_GET(i, COPY_UB_ROW)};
  widen(&s, line, 1);
  widen(&s, (int64_t)SYSTOLE_GET(i, COPY_LINES),
        SYSTOLE_GET_SIGNED(i, COPY_UB_LINE_STRIDE));
  widen(&s, (int64_t)SYSTOLE_GET(i, COPY_BLOCKS),
        SYSTOLE_GET_SIGNED(i, COPY_UB_BLOCK_STRIDE));
  return s;
}

static span matmul_span(const systole_instruction *i) {
  span s = {(int64_t)SYSTOLE_GET(i, MATMUL_UB_ROW),
            (int64_t)SYSTOLE_GET(i, MATMUL_UB_ROW)};
  widen(&s, (int64_t)SYSTOLE_GET(i, MATMUL_ROWS0),
        SYSTOLE_GET_SIGNED(i, MATMUL_ROW_STRIDE0));
  widen(&s, (int64_t)SYSTOLE_GET(i, MATMUL_ROWS1),
        SYSTOLE_GET_SIGNED(i, MATMUL_ROW_STRIDE1));
  widen(&s, (int64_t)SYSTOLE_GET(i, MATMUL_RED0),
        SYSTOLE_GET_SIGNED(i, MATMUL_RED_STRIDE0));
  widen(&s, (int64_t)SYSTOLE_GET(i, MATMUL_RED1),
        SYSTOLE_GET_SIGNED(i, MATMUL_RED_STRIDE1));
  widen(&s, (int64_t)SYSTOLE_GET(i, MATMUL_RED2),
        SYSTOLE_GET_SIGNED(i, MATMUL_RED_STRIDE2));
  return s;
}

static span activate_span(const systole_instruction *i, int residual) {
  span s;
  s.first = s.last = (int64_t)(residual ? SYSTOLE_GET(i, ACTIVATE_RES_ROW)
                                        : SYSTOLE_GET(i, ACTIVATE_UB_ROW));
  widen(&s, (int64_t)SYSTOLE_GET(i, ACTIVATE_ROWS0),
        residual ? SYSTOLE_GET_SIGNED(i, ACTIVATE_RES_STRIDE0)
                 : SYSTOLE_GET_SIGNED(i, ACTIVATE_UB_STRIDE0));
  widen(&s, (int64_t)SYSTOLE_GET(i, ACTIVATE_ROWS1),
        residual ? SYSTOLE_GET_SIGNED(i, ACTIVATE_RES_STRIDE1)
                 : SYSTOLE_GET_SIGNED(i, ACTIVATE_UB_STRIDE1));
  return s;
}

/* Last of `size` pixels that the windows of `count` outputs reach, -1 when they reach
 * none. */
static int64_t last_pixel(int64_t count, int64_t stride, int64_t pad, int64_t window,
                          int64_t size) {
  int64_t last = -1;
  /* Windows move to the right only, so the last one that meets the image decides. */
  for (int64_t n = count - 1; n >= 0 && last < 0; n--) {
    const int64_t first = n * stride - pad;
    const int64_t end = first + window < size ? first + window : size;
    if (end > (first > 0 ? first : 0)) last = end - 1;
  }
  return last;
}

/* Accumulator rows of a MATMUL or ACTIVATE: first and last; last < first when windows of
 * padding alone read none. */
static span accumulator_span(const systole_instruction *i) {
  span s = {0, 0};
  int64_t last;
  if (SYSTOLE_GET(i, OPCODE) == SYSTOLE_OP_MATMUL) {
    s.first = (int64_t)SYSTOLE_GET(i, MATMUL_ACC_ROW);
    last = (int64_t)(SYSTOLE_GET(i, MATMUL_ROWS0) * SYSTOLE_GET(i, MATMUL_ROWS1)) - 1;
  } else {
    s.first = (int64_t)SYSTOLE_GET(i, ACTIVATE_ACC_ROW);
    const int64_t rows0 = (int64_t)SYSTOLE_GET(i, ACTIVATE_ROWS0),
                  rows1 = (int64_t)SYSTOLE_GET(i, ACTIVATE_ROWS1);
    last = rows0 * rows1 - 1;
    if (SYSTOLE_GET(i, ACTIVATE_POOL) != SYSTOLE_POOL_NONE) {
      const int64_t width = (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_IN_WIDTH);
      const int64_t y = last_pixel(rows1, (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_STRIDE_H),
                                   (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_PAD_TOP),
                                   (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_HEIGHT),
                                   (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_IN_HEIGHT));
      const int64_t x = last_pixel(rows0, (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_STRIDE_W),
                                   (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_PAD_LEFT),
                                   (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_WIDTH), width);
      last = y < 0 || x < 0 ? -1 : y * width + x;
    }
  }
  s.last = s.first + last;
  return s;
}

/* Inside the accumulators and inside one half. */
static int accumulators_bad(const systole_instruction *i,
                            const systole_geometry *geometry, uint32_t *detail) {
  span s = accumulator_span(i);
  int64_t half = geometry->acc_rows / 2;
  if (s.last < s.first) return 0;
  if (s.last < geometry->acc_rows && s.first / half == s.last / half) return 0;
  *detail = (uint32_t)s.first;
  return 1;
}

static int check_copy(const systole_instruction *i, const systole_geometry *geometry,
                      uint32_t *detail) {
  uint64_t beat = (uint64_t)geometry->axi_bytes;
  uint64_t lanes = SYSTOLE_GET(i, COPY_RAW) ? SYSTOLE_GET(i, COPY_RAW_LANES) : 0;
  /* A LOAD may consist of fill rows alone; a STORE has none. */
  uint64_t line = SYSTOLE_GET(i, COPY_ROWS) + SYSTOLE_GET(i, COPY_FILL_BEFORE) +
                  SYSTOLE_GET(i, COPY_FILL_AFTER);
  if (line == 0 || SYSTOLE_GET(i, COPY_LINES) == 0 || SYSTOLE_GET(i, COPY_BLOCKS) == 0 ||
      SYSTOLE_GET(i, COPY_LAST_LANES) > (uint64_t)geometry->dim ||
      lanes > (uint64_t)geometry->dim) {
    return SYSTOLE_ERROR_COUNT;
  }
  if (SYSTOLE_GET(i, COPY_OFFSET) % beat != 0 ||
      SYSTOLE_GET(i, COPY_MEM_LINE_STRIDE) % beat != 0 ||
      SYSTOLE_GET(i, COPY_MEM_BLOCK_STRIDE) % beat != 0 ||
      lanes * sizeof(int32_t) % beat != 0) {
    return SYSTOLE_ERROR_ALIGN;
  }
  if (SYSTOLE_GET(i, COPY_RAW)) return SYSTOLE_ERROR_NONE; /* touches no unified buffer */
  span s = copy_span(i);
  return outside(&s, geometry->ub_rows, detail) ? SYSTOLE_ERROR_UB_RANGE
                                                : SYSTOLE_ERROR_NONE;
}

static int check_weights(const systole_instruction *i, const systole_geometry *geometry) {
  if (!SYSTOLE_GET(i, WEIGHTS_PARAMS) && SYSTOLE_GET(i, WEIGHTS_TILES) == 0) {
    return SYSTOLE_ERROR_COUNT;
  }
  return SYSTOLE_GET(i, WEIGHTS_OFFSET) % (uint64_t)geometry->axi_bytes != 0
             ? SYSTOLE_ERROR_ALIGN
             : SYSTOLE_ERROR_NONE;
}

static int check_matmul(const systole_instruction *i, const systole_geometry *geometry,
                        uint32_t *detail) {
  if (SYSTOLE_GET(i, MATMUL_ROWS0) == 0 || SYSTOLE_GET(i, MATMUL_ROWS1) == 0 ||
      SYSTOLE_GET(i, MATMUL_RED0) == 0 || SYSTOLE_GET(i, MATMUL_RED1) == 0 ||
      SYSTOLE_GET(i, MATMUL_RED2) == 0) {
    return SYSTOLE_ERROR_COUNT;
  }
  span s = matmul_span(i);
  if (outside(&s, geometry->ub_rows, detail)) return SYSTOLE_ERROR_UB_RANGE;
  return accumulators_bad(i, geometry, detail) ? SYSTOLE_ERROR_ACC_RANGE
                                               : SYSTOLE_ERROR_NONE;
}

static int check_activate(const systole_instruction *i, const systole_geometry *geometry,
                          uint32_t *detail) {
  uint64_t pool = SYSTOLE_GET(i, ACTIVATE_POOL);
  if (SYSTOLE_GET(i, ACTIVATE_ROWS0) == 0 || SYSTOLE_GET(i, ACTIVATE_ROWS1) == 0) {
    return SYSTOLE_ERROR_COUNT;
  }
  if (pool != SYSTOLE_POOL_NONE && (SYSTOLE_GET(i, ACTIVATE_POOL_HEIGHT) == 0 ||
                                    SYSTOLE_GET(i, ACTIVATE_POOL_WIDTH) == 0 ||
                                    SYSTOLE_GET(i, ACTIVATE_POOL_IN_WIDTH) == 0 ||
                                    SYSTOLE_GET(i, ACTIVATE_POOL_IN_HEIGHT) == 0)) {
    return SYSTOLE_ERROR_COUNT;
  }
  int has_residual = (int)((geometry->features >> SYSTOLE_FEATURE_RESIDUAL) & 1u);
  int has_pool = (int)((geometry->features >> SYSTOLE_FEATURE_POOL) & 1u);
  if ((SYSTOLE_GET(i, ACTIVATE_RESIDUAL) && !has_residual) ||
      (pool != SYSTOLE_POOL_NONE && !has_pool) || pool > SYSTOLE_POOL_AVERAGE) {
    return SYSTOLE_ERROR_UNSUPPORTED;
  }
  /* Nothing of a raw row is scaled or compared. */
  if (SYSTOLE_GET(i, ACTIVATE_RAW) &&
      (SYSTOLE_GET(i, ACTIVATE_RESIDUAL) || pool == SYSTOLE_POOL_MAX)) {
    return SYSTOLE_ERROR_UNSUPPORTED;
  }
  if (accumulators_bad(i, geometry, detail)) return SYSTOLE_ERROR_ACC_RANGE;
  if (SYSTOLE_GET(i, ACTIVATE_RAW)) return SYSTOLE_ERROR_NONE;
  span s = activate_span(i, 0);
  if (outside(&s, geometry->ub_rows, detail)) return SYSTOLE_ERROR_UB_RANGE;
  if (SYSTOLE_GET(i, ACTIVATE_RESIDUAL)) {
    s = activate_span(i, 1);
    if (outside(&s, geometry->ub_rows, detail)) return SYSTOLE_ERROR_UB_RANGE;
  }
  return SYSTOLE_ERROR_NONE;
}

static int reserved_bad(const systole_instruction *instruction,
                        const systole_instruction *fields, uint32_t *detail) {
  unsigned any = 0;
  for (size_t i = 0; i < sizeof fields->bytes; i++) {
    any |= (unsigned)instruction->bytes[i] & ~(unsigned)fields->bytes[i];
  }
  for (size_t i = 0; any != 0 && i < sizeof fields->bytes; i++) {
    if ((instruction->bytes[i] & ~fields->bytes[i]) != 0) {
      *detail = (uint32_t)(i / 4);
      return 1;
    }
  }
  return 0;
}

/* `fields`, by opcode: the bits that are some field's. NULL: they are worked out. */
static int check(const systole_instruction *instruction, const systole_geometry *geometry,
                 const systole_instruction *fields, uint32_t *detail) {
  systole_instruction own;
  uint32_t unused;
  if (detail == NULL) detail = &unused;
  *detail = 0;
  uint32_t version = (uint32_t)SYSTOLE_GET(instruction, VERSION);
  int opcode = (int)SYSTOLE_GET(instruction, OPCODE);
  if (version != SYSTOLE_ISA_VERSION) {
    *detail = version;
    return SYSTOLE_ERROR_VERSION;
  }
  if (systole_opcode_unit(opcode) < 0) {
    *detail = (uint32_t)opcode;
    return SYSTOLE_ERROR_OPCODE;
  }
  if (fields == NULL) {
    own = systole_opcode_mask(opcode);
    fields = &own;
  } else {
    fields += opcode;
  }
  if (reserved_bad(instruction, fields, detail)) return SYSTOLE_ERROR_RESERVED;
  switch (opcode) {
    case SYSTOLE_OP_LOAD:
    case SYSTOLE_OP_STORE:
      return check_copy(instruction, geometry, detail);
    case SYSTOLE_OP_WEIGHTS:
      return check_weights(instruction, geometry);
    case SYSTOLE_OP_MATMUL:
      return check_matmul(instruction, geometry, detail);
    case SYSTOLE_OP_ACTIVATE:
      return check_activate(instruction, geometry, detail);
    default:
      return SYSTOLE_ERROR_NONE; /* END has no fields of its own */
  }
}

int systole_check_instruction(const systole_instruction *instruction,
                              const systole_geometry *geometry, uint32_t *detail) {
  return check(instruction, geometry, NULL, detail);
}

void systole_checker_make(systole_checker *out, const systole_geometry *geometry) {
  out->geometry = geometry;
  for (int opcode = 0; opcode <= SYSTOLE_OP_END; opcode++) {
    out->masks[opcode] = systole_opcode_mask(opcode);
  }
}

int systole_checker_check(const systole_checker *checker,
                          const systole_instruction *instruction, uint32_t *detail) {
  return check(instruction, checker->geometry, checker->masks, detail);
}

/* ---- sentences --------------------------------------------------------------------- */

static void ub_cause(char *out, size_t bytes, uint32_t detail,
                     const systole_instruction *instruction,
                     const systole_geometry *geometry) {
  if (instruction == NULL) {
    snprintf(out, bytes, "unified-buffer row %u is beyond the %u that exist", detail,
             geometry->ub_rows);
    return;
  }
  span s = {0, 0};
  const char *what = "unified-buffer rows";
  switch ((int)SYSTOLE_GET(instruction, OPCODE)) {
    case SYSTOLE_OP_LOAD:
    case SYSTOLE_OP_STORE:
      s = copy_span(instruction);
      break;
    case SYSTOLE_OP_MATMUL:
      s = matmul_span(instruction);
      break;
    case SYSTOLE_OP_ACTIVATE:
      s = activate_span(instruction, 0);
      if (s.first >= 0 && s.last < geometry->ub_rows) {
        what = "unified-buffer rows of the residual,";
        s = activate_span(instruction, 1);
      }
      break;
    default:
      break;
  }
  snprintf(out, bytes, "%s %lld to %lld are beyond the %u that exist", what,
           (long long)s.first, (long long)s.last, geometry->ub_rows);
}

static void accumulator_cause(char *out, size_t bytes, uint32_t detail,
                              const systole_instruction *instruction,
                              const systole_geometry *geometry) {
  if (instruction == NULL) {
    snprintf(out, bytes, "accumulator rows from %u on are beyond the %u that exist",
             detail, geometry->acc_rows);
    return;
  }
  span s = accumulator_span(instruction);
  if (s.last >= geometry->acc_rows) {
    snprintf(out, bytes, "accumulator rows %lld to %lld are beyond the %u that exist",
             (long long)s.first, (long long)s.last, geometry->acc_rows);
  } else {
    snprintf(out, bytes,
             "accumulator rows %lld to %lld lie in both halves, which meet at row %u",
             (long long)s.first, (long long)s.last, geometry->acc_rows / 2);
  }
}

static const char *unsupported_cause(const systole_instruction *instruction) {
  if (instruction != NULL && SYSTOLE_GET(instruction, OPCODE) == SYSTOLE_OP_ACTIVATE) {
    if (SYSTOLE_GET(instruction, ACTIVATE_POOL) > SYSTOLE_POOL_AVERAGE) {
      return "no device has pool mode 3";
    }
    if (SYSTOLE_GET(instruction, ACTIVATE_RAW) &&
        (SYSTOLE_GET(instruction, ACTIVATE_RESIDUAL) ||
         SYSTOLE_GET(instruction, ACTIVATE_POOL) == SYSTOLE_POOL_MAX)) {
      return "raw rows have neither a residual nor a maximum; leave out one of the two";
    }
  }
  return "this device was built without what it asks for";
}

/* A unit that has its tokens and still does not move lacks what another unit brings or
 * takes away. */
static const char *starved_of(int unit) {
  switch (unit) {
    case SYSTOLE_UNIT_WEIGHT:
      return "room in the weight FIFO, whose tiles no MATMUL takes";
    case SYSTOLE_UNIT_ARRAY:
      return "weight tiles that no WEIGHTS brings";
    case SYSTOLE_UNIT_ACTIVATE:
      return "a STORE that takes its raw rows";
    case SYSTOLE_UNIT_STORE:
      return "raw rows that no ACTIVATE makes";
    default:
      return "data that no other instruction delivers";
  }
}

static void token_cause(char *out, size_t bytes, int unit, uint32_t detail) {
  const uint32_t overflow = 1u << 31;
  char units[96] = "";
  for (int from = 0; from < SYSTOLE_UNITS; from++) {
    if (((detail >> from) & 1u) == 0) continue;
    size_t used = strlen(units);
    snprintf(units + used, sizeof units - used, "%s%s", used > 0 ? " and " : "",
             systole_unit_name(from));
  }
  if (detail & overflow) {
    snprintf(out, bytes, "the %s unit has %d tokens from it already, and takes none",
             units, (1 << SYSTOLE_TOKEN_BITS) - 1);
  } else if (units[0] != 0) {
    snprintf(out, bytes, "it waits for a token from the %s unit that never came", units);
  } else {
    snprintf(out, bytes, "nothing has moved for the watchdog's time; it waits for %s",
             starved_of(unit));
  }
}

void systole_error_sentence(char *out, size_t bytes, int code, int unit, uint32_t index,
                            uint32_t detail, const systole_instruction *instruction,
                            const systole_geometry *geometry) {
  char cause[256];
  switch (code) {
    case SYSTOLE_ERROR_NONE:
      snprintf(cause, sizeof cause, "no error");
      break;
    case SYSTOLE_ERROR_VERSION:
      snprintf(cause, sizeof cause, "its version is %u, this device executes version %d",
               detail, SYSTOLE_ISA_VERSION);
      break;
    case SYSTOLE_ERROR_OPCODE:
      snprintf(cause, sizeof cause, "%u is no opcode", detail);
      break;
    case SYSTOLE_ERROR_RESERVED:
      snprintf(cause, sizeof cause, "a reserved bit is set in its 32-bit word %u",
               detail);
      break;
    case SYSTOLE_ERROR_COUNT:
      snprintf(cause, sizeof cause, "a count is zero or too large (detail %u)", detail);
      break;
    case SYSTOLE_ERROR_UB_RANGE:
      ub_cause(cause, sizeof cause, detail, instruction, geometry);
      break;
    case SYSTOLE_ERROR_ACC_RANGE:
      accumulator_cause(cause, sizeof cause, detail, instruction, geometry);
      break;
    case SYSTOLE_ERROR_ALIGN:
      if (unit == SYSTOLE_UNIT_DISPATCH) {
        snprintf(cause, sizeof cause,
                 "a pointer (to program, weights or activations) is not a multiple of %d",
                 SYSTOLE_BLOCK_ALIGN);
      } else {
        snprintf(
            cause, sizeof cause,
            "a device-memory offset or stride is not a multiple of the port's %d bytes",
            geometry->axi_bytes);
      }
      break;
    case SYSTOLE_ERROR_UNSUPPORTED:
      snprintf(cause, sizeof cause, "%s", unsupported_cause(instruction));
      break;
    case SYSTOLE_ERROR_SLAVE:
      snprintf(cause, sizeof cause,
               "the memory answered SLVERR to the burst at address ...%08x", detail);
      break;
    case SYSTOLE_ERROR_DECODE:
      snprintf(cause, sizeof cause,
               "nothing answers at address ...%08x (DECERR); it is outside device memory",
               detail);
      break;
    case SYSTOLE_ERROR_TOKEN:
      token_cause(cause, sizeof cause, unit, detail);
      break;
    case SYSTOLE_ERROR_MEMORY:
      snprintf(
          cause, sizeof cause,
          "the memory does not answer; the device must be reset before its next run");
      break;
    case SYSTOLE_ERROR_NO_END:
      snprintf(cause, sizeof cause,
               "a program's last instruction must be END, and END must be the last");
      break;
    default:
      snprintf(cause, sizeof cause, "unknown error code %d, detail %u", code, detail);
  }
  int opcode = instruction == NULL ? 0 : (int)SYSTOLE_GET(instruction, OPCODE);
  if (systole_opcode_unit(opcode) >= 0) {
    snprintf(out, bytes, "instruction %u (%s, %s unit): %s", index,
             systole_opcode_name(opcode), systole_unit_name(unit), cause);
  } else {
    snprintf(out, bytes, "instruction %u (%s unit): %s", index, systole_unit_name(unit),
             cause);
  }
}
