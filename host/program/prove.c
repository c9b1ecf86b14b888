#include <stdio.h>
#include <string.h>

#include "program/check.h"
#include "program/program.h"
#include "support/error.h"

enum {
  kMaxTokens = (1 << SYSTOLE_TOKEN_BITS) - 1,
  /* Instructions of one unit that dispatch can be ahead of: its queue, and one in the
     unit. */
  kAhead = SYSTOLE_QUEUE_DEPTH + 1
};

/* ---- token counters ---------------------------------------------------------------- */

/* No counter passes its width, however far one unit runs ahead of another. Dispatch is in
 * order, so when it has reached an instruction, all but the last kAhead earlier
 * instructions of each unit have started and have taken their tokens; everything before
 * it may have given. */
static systole_status check_counters(const systole_instruction *instructions,
                                     uint32_t count) {
  int64_t given[SYSTOLE_UNITS][SYSTOLE_UNITS] = {{0}}; /* [from][to] */
  int64_t taken[SYSTOLE_UNITS][SYSTOLE_UNITS] = {{0}}; /* surely taken by now */
  unsigned waits[SYSTOLE_UNITS][kAhead] = {{0}};       /* masks of the last ones */
  int64_t seen[SYSTOLE_UNITS] = {0};
  for (uint32_t i = 0; i < count; i++) {
    const systole_instruction *instruction = &instructions[i];
    int unit = systole_opcode_unit((int)SYSTOLE_GET(instruction, OPCODE));
    if (unit >= SYSTOLE_UNITS) continue; /* END */
    unsigned *slot = &waits[unit][seen[unit] % kAhead];
    if (seen[unit] >= kAhead) {
      for (int from = 0; from < SYSTOLE_UNITS; from++) {
        taken[from][unit] += (*slot >> from) & 1u;
      }
    }
    *slot = (unsigned)SYSTOLE_GET(instruction, WAIT);
    seen[unit]++;
    unsigned give = (unsigned)SYSTOLE_GET(instruction, GIVE);
    for (int to = 0; to < SYSTOLE_UNITS; to++) {
      given[unit][to] += (give >> to) & 1u;
      if (given[unit][to] - taken[unit][to] > kMaxTokens) {
        return systole_fail(
            SYSTOLE_ERR_ARGUMENT,
            "instruction %u (%s): the %s unit may be given more than %d tokens "
            "by the %s unit before it takes one",
            i, systole_opcode_name((int)SYSTOLE_GET(instruction, OPCODE)),
            systole_unit_name(to), kMaxTokens, systole_unit_name(unit));
      }
    }
  }
  return SYSTOLE_OK;
}

/* ---- the run ----------------------------------------------------------------------- */

/* What a unit is doing. */
typedef struct unit_state {
  uint32_t queue[SYSTOLE_QUEUE_DEPTH]; /* instruction indices; the head stays until it is
                                          done */
  int head, length;
  int started;   /* the head has taken its tokens */
  uint64_t left; /* tiles (weight, array) or raw rows (activation, store) still to move */
} unit_state;

typedef struct run {
  const systole_instruction *instructions;
  uint32_t count, next;                     /* next to dispatch */
  uint64_t capacity;                        /* tiles of the weight FIFO */
  uint64_t fifo;                            /* tiles in it */
  int tokens[SYSTOLE_UNITS][SYSTOLE_UNITS]; /* [from][to] */
  unit_state units[SYSTOLE_UNITS];
} run;

static const systole_instruction *head_of(const run *r, int unit) {
  const unit_state *u = &r->units[unit];
  return u->length == 0 ? NULL : &r->instructions[u->queue[u->head]];
}

static unsigned missing_tokens(const run *r, int unit, const systole_instruction *head) {
  unsigned wait = (unsigned)SYSTOLE_GET(head, WAIT), missing = 0;
  for (int from = 0; from < SYSTOLE_UNITS; from++) {
    if (((wait >> from) & 1u) != 0 && r->tokens[from][unit] == 0) missing |= 1u << from;
  }
  return missing;
}

/* What the head must move before it is done; 0 for those that end by themselves. */
static uint64_t work_of(const systole_instruction *i) {
  switch ((int)SYSTOLE_GET(i, OPCODE)) {
    case SYSTOLE_OP_WEIGHTS:
      return SYSTOLE_GET(i, WEIGHTS_PARAMS) ? 0 : SYSTOLE_GET(i, WEIGHTS_TILES);
    case SYSTOLE_OP_MATMUL:
      return SYSTOLE_GET(i, MATMUL_RED0) * SYSTOLE_GET(i, MATMUL_RED1) *
             SYSTOLE_GET(i, MATMUL_RED2);
    case SYSTOLE_OP_ACTIVATE:
      return SYSTOLE_GET(i, ACTIVATE_RAW)
                 ? SYSTOLE_GET(i, ACTIVATE_ROWS0) * SYSTOLE_GET(i, ACTIVATE_ROWS1)
                 : 0;
    case SYSTOLE_OP_STORE:
      return SYSTOLE_GET(i, COPY_RAW)
                 ? SYSTOLE_GET(i, COPY_ROWS) * SYSTOLE_GET(i, COPY_LINES) *
                       SYSTOLE_GET(i, COPY_BLOCKS)
                 : 0;
    default:
      return 0;
  }
}

static int dispatch(run *r) {
  int moved = 0;
  while (r->next < r->count) {
    int unit = systole_opcode_unit((int)SYSTOLE_GET(&r->instructions[r->next], OPCODE));
    if (unit >= SYSTOLE_UNITS) break; /* END waits for all units */
    unit_state *u = &r->units[unit];
    if (u->length == SYSTOLE_QUEUE_DEPTH) break;
    u->queue[(u->head + u->length) % SYSTOLE_QUEUE_DEPTH] = r->next++;
    u->length++;
    moved = 1;
  }
  return moved;
}

static int start(run *r, int unit) {
  unit_state *u = &r->units[unit];
  const systole_instruction *head = head_of(r, unit);
  if (head == NULL || u->started || missing_tokens(r, unit, head) != 0) return 0;
  unsigned wait = (unsigned)SYSTOLE_GET(head, WAIT);
  for (int from = 0; from < SYSTOLE_UNITS; from++) {
    if ((wait >> from) & 1u) r->tokens[from][unit]--;
  }
  u->started = 1;
  u->left = work_of(head);
  return 1;
}

/* A started unit's remaining work, 0 for one that has none. */
static uint64_t left_of(const run *r, int unit) {
  return r->units[unit].started ? r->units[unit].left : 0;
}

static uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* Tiles from memory through the FIFO to the array, as many as can go. */
static int move_tiles(run *r) {
  unit_state *weight = &r->units[SYSTOLE_UNIT_WEIGHT],
             *array = &r->units[SYSTOLE_UNIT_ARRAY];
  int fetching = weight->started && work_of(head_of(r, SYSTOLE_UNIT_WEIGHT)) > 0;
  uint64_t ready = r->fifo + (fetching ? weight->left : 0);
  uint64_t through = min_u64(left_of(r, SYSTOLE_UNIT_ARRAY), ready);
  uint64_t from_fifo = min_u64(through, r->fifo);
  r->fifo -= from_fifo;
  if (through > 0) array->left -= through;
  if (through > from_fifo) weight->left -= through - from_fifo;
  uint64_t kept = fetching ? min_u64(weight->left, r->capacity - r->fifo) : 0;
  r->fifo += kept;
  if (kept > 0) weight->left -= kept;
  return through > 0 || kept > 0;
}

/* Raw rows from the activation unit to the store; nothing holds them in between. */
static int move_rows(run *r) {
  uint64_t rows =
      min_u64(left_of(r, SYSTOLE_UNIT_ACTIVATE), left_of(r, SYSTOLE_UNIT_STORE));
  if (rows == 0) return 0;
  r->units[SYSTOLE_UNIT_ACTIVATE].left -= rows;
  r->units[SYSTOLE_UNIT_STORE].left -= rows;
  return 1;
}

static int finish(run *r, int unit) {
  unit_state *u = &r->units[unit];
  if (!u->started || u->left > 0) return 0;
  unsigned give = (unsigned)SYSTOLE_GET(head_of(r, unit), GIVE);
  for (int to = 0; to < SYSTOLE_UNITS; to++)
    r->tokens[unit][to] += (int)((give >> to) & 1u);
  u->head = (u->head + 1) % SYSTOLE_QUEUE_DEPTH;
  u->length--;
  u->started = 0;
  return 1;
}

/* The first instruction, in program order, that cannot go on, and what it lacks. */
static systole_status explain(const run *r) {
  int stuck = -1;
  for (int unit = 0; unit < SYSTOLE_UNITS; unit++) {
    const unit_state *u = &r->units[unit];
    if (u->length == 0) continue;
    if (stuck < 0 || u->queue[u->head] < r->units[stuck].queue[r->units[stuck].head]) {
      stuck = unit;
    }
  }
  const unit_state *u = &r->units[stuck];
  const systole_instruction *head = head_of(r, stuck);
  char cause[96];
  if (!u->started) {
    unsigned missing = missing_tokens(r, stuck, head);
    int from = 0;
    while (((missing >> from) & 1u) == 0) from++;
    snprintf(cause, sizeof cause, "a token from the %s unit", systole_unit_name(from));
  } else if (stuck == SYSTOLE_UNIT_WEIGHT) {
    snprintf(cause, sizeof cause, "room in the weight FIFO");
  } else if (stuck == SYSTOLE_UNIT_ARRAY) {
    snprintf(cause, sizeof cause, "%llu weight tiles", (unsigned long long)u->left);
  } else if (stuck == SYSTOLE_UNIT_ACTIVATE) {
    snprintf(cause, sizeof cause, "a STORE that takes %llu raw rows",
             (unsigned long long)u->left);
  } else {
    snprintf(cause, sizeof cause, "an ACTIVATE that hands over %llu raw rows",
             (unsigned long long)u->left);
  }
  return systole_fail(
      SYSTOLE_ERR_ARGUMENT,
      "the program cannot end: instruction %u (%s) waits for %s, which never "
      "comes",
      u->queue[u->head], systole_opcode_name((int)SYSTOLE_GET(head, OPCODE)), cause);
}

static systole_status check_left_over(const run *r) {
  for (int from = 0; from < SYSTOLE_UNITS; from++) {
    for (int to = 0; to < SYSTOLE_UNITS; to++) {
      if (r->tokens[from][to] == 0) continue;
      return systole_fail(
          SYSTOLE_ERR_ARGUMENT,
          "the program leaves %d tokens from the %s unit to the %s unit unused",
          r->tokens[from][to], systole_unit_name(from), systole_unit_name(to));
    }
  }
  if (r->fifo > 0) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the program leaves %llu weight tiles unused in the FIFO",
                        (unsigned long long)r->fifo);
  }
  return SYSTOLE_OK;
}

static systole_status follow(const systole_instruction *instructions, uint32_t count,
                             const systole_geometry *geometry) {
  run r;
  memset(&r, 0, sizeof r);
  r.instructions = instructions;
  r.count = count;
  r.capacity = geometry->weight_tiles;
  for (int moved = 1; moved;) {
    moved = dispatch(&r);
    for (int unit = 0; unit < SYSTOLE_UNITS; unit++) moved |= start(&r, unit);
    moved |= move_tiles(&r);
    moved |= move_rows(&r);
    for (int unit = 0; unit < SYSTOLE_UNITS; unit++) moved |= finish(&r, unit);
  }
  for (int unit = 0; unit < SYSTOLE_UNITS; unit++) {
    if (r.units[unit].length > 0) return explain(&r);
  }
  return check_left_over(&r);
}

systole_status systole_prove(const systole_instruction *instructions, uint32_t count,
                             const systole_geometry *geometry) {
  systole_checker checker;
  systole_checker_make(&checker, geometry);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t detail;
    int code = systole_checker_check(&checker, &instructions[i], &detail);
    int opcode = (int)SYSTOLE_GET(&instructions[i], OPCODE);
    if (code == SYSTOLE_ERROR_NONE && (opcode == SYSTOLE_OP_END) != (i + 1 == count)) {
      code = SYSTOLE_ERROR_NO_END;
    }
    if (code != SYSTOLE_ERROR_NONE) {
      int unit = code == SYSTOLE_ERROR_VERSION || code == SYSTOLE_ERROR_OPCODE ||
                         code == SYSTOLE_ERROR_RESERVED || code == SYSTOLE_ERROR_NO_END
                     ? SYSTOLE_UNIT_DISPATCH
                     : systole_opcode_unit(opcode);
      char sentence[512];
      systole_error_sentence(sentence, sizeof sentence, code, unit, i, detail,
                             &instructions[i], geometry);
      return systole_fail(SYSTOLE_ERR_ARGUMENT, "%s", sentence);
    }
  }
  if (count == 0) return systole_fail(SYSTOLE_ERR_ARGUMENT, "the program is empty");
  systole_status status = check_counters(instructions, count);
  return status == SYSTOLE_OK ? follow(instructions, count, geometry) : status;
}
