/* A stream is written instruction by instruction in an order in which it would be right
 * if each waited for the one before. Beside it stands, for every row, bank and piece of
 * device memory, who touched it last; an instruction that touches something after another
 * unit has gets a token from there, unless it is known to come later by tokens that are
 * there already. Tokens are matched in order, so who gives to a unit twice gives in the
 * order in which that unit takes. Some more tokens are thrown in.
 *
 * Then neighbours of different units change places, so that dispatch meets instructions
 * long before their tokens, as far as the proof of host/program finds that it still ends.
 */
#include "stream.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "program/program.h"
#include "support/random.h"

/* A generator that contradicts itself has no failure to return. */
static void must(int good, const char *rule) {
  if (good) return;
  (void)fprintf(stderr, "stream.c: it does not hold that %s: %s\n", rule,
                systole_last_error());
  abort();
}

enum {
  UNITS = SYSTOLE_UNITS,
  MOST = 400,           /* instructions */
  WINDOW = 160,         /* unified-buffer rows in use */
  ACC_WINDOW = 96,      /* accumulator rows in use, in each half */
  INPUT_ROWS = 512,     /* device memory that is only loaded */
  WORK_ROWS = 1024,     /* ... that is loaded and stored */
  TILES = 24,           /* in device memory */
  PARAM_BLOCKS = 8,     /* ... of column parameters */
  LONGEST_RUN = 1 << 19 /* MACs of a MATMUL: the interpreter does them one by one */
};

/* Last accesses to one thing, as numbers of their unit's instructions, from 1. */
typedef struct touched {
  int writer, write; /* unit, number; 0: never */
  int read[UNITS];
} touched;

typedef struct knowledge {
  int of[UNITS]; /* instructions of each unit that are known to be finished */
} knowledge;

typedef struct step {
  systole_instruction instruction;
  int unit;
  knowledge knows; /* when it is finished */
} step;

typedef struct builder {
  systole_random random;
  systole_geometry g;
  int64_t dim, beat;
  step steps[MOST];
  int count;
  int of_unit[UNITS][MOST]; /* steps of each unit */
  int counts[UNITS];
  knowledge knows[UNITS];  /* of its last instruction */
  int given[UNITS][UNITS]; /* [from][to]: number of the last giver */

  int64_t ub_first, acc_first[2]; /* windows */
  touched ub[WINDOW], acc[2][ACC_WINDOW], bank[2];
  touched *memory; /* pieces of `piece` bytes of the activations */
  int64_t piece;
  int64_t input_bytes, work_bytes; /* work follows input; a dump follows that */
  int64_t dump_at, dump_bytes;
  int64_t tile_bytes, param_bytes, params_at;
  int64_t tiles_ahead; /* fetched, and not yet used */
  int last_half;       /* of the last MATMUL, and its last row */
  int64_t last_row;

  int need[UNITS]; /* of the instruction that is being made */
  int partner;     /* unit whose last instruction ends together with it; -1: none */
} builder;

/* ---- drawing ------------------------------------------------------------------------
 */

static int64_t below(builder *b, int64_t bound) {
  return (int64_t)systole_random_below(&b->random, (uint64_t)bound);
}

static int64_t between(builder *b, int64_t low, int64_t high) {
  return low + below(b, high - low + 1);
}

static int percent(builder *b, int share) { return below(b, 100) < share; }

/* A loop of addresses: count, and stride from turn to turn. */
typedef struct loop {
  int64_t count, stride;
} loop;

/* Draws strides, for which the reach of all loops together is at most `room`, and returns
 * the least and the greatest sum. `natural` is what the innermost loop passes over
 * without a gap. */
typedef struct reach {
  int64_t least, greatest;
} reach;

static reach draw_strides(builder *b, loop *loops, int count, int64_t natural,
                          int64_t room) {
  reach r = {0, 0};
  for (int i = 0; i < count; i++) {
    const int64_t turns = loops[i].count - 1;
    if (turns == 0) { /* the stride must not matter */
      loops[i].stride = percent(b, 50) ? 0 : between(b, -1000, 1000);
      natural *= loops[i].count;
      continue;
    }
    const int64_t most = room / turns;
    int64_t stride = percent(b, 60) ? natural : between(b, 0, most);
    if (stride > most) stride = percent(b, 50) ? 0 : most;
    if (percent(b, 30)) stride = -stride;
    loops[i].stride = stride;
    room -= turns * (stride < 0 ? -stride : stride);
    if (stride < 0) r.least += turns * stride;
    if (stride > 0) r.greatest += turns * stride;
    natural = stride * loops[i].count;
    if (natural < 0) natural = -natural;
  }
  return r;
}

/* Where to begin, so that begin + least ... begin + greatest + length - 1 lies in `room`
 * places. */
static int64_t draw_begin(builder *b, reach r, int64_t length, int64_t room) {
  const int64_t last = room - length - r.greatest;
  must(-r.least <= last, "the generator's patterns fit");
  return percent(b, 20) ? last : between(b, -r.least, last);
}

/* ---- who comes after whom -----------------------------------------------------------
 */

static void must_follow(builder *b, int unit, int number) {
  if (number > b->need[unit]) b->need[unit] = number;
}

static void reads(builder *b, touched *t, int unit) {
  if (t->write) must_follow(b, t->writer, t->write);
  t->read[unit] = b->counts[unit] + 1;
}

static void writes(builder *b, touched *t, int unit) {
  if (t->write) must_follow(b, t->writer, t->write);
  for (int other = 0; other < UNITS; other++) must_follow(b, other, t->read[other]);
  memset(t->read, 0, sizeof t->read);
  t->writer = unit;
  t->write = b->counts[unit] + 1;
}

static void ub_touch(builder *b, int64_t row, int unit, int write) {
  touched *t = &b->ub[row - b->ub_first];
  if (write) {
    writes(b, t, unit);
  } else {
    reads(b, t, unit);
  }
}

static void memory_touch(builder *b, int64_t offset, int64_t bytes, int unit, int write) {
  for (int64_t i = offset / b->piece; i * b->piece < offset + bytes; i++) {
    if (write) {
      writes(b, &b->memory[i], unit);
    } else {
      reads(b, &b->memory[i], unit);
    }
  }
}

static void learn(knowledge *to, const knowledge *from) {
  for (int u = 0; u < UNITS; u++) {
    if (from->of[u] > to->of[u]) to->of[u] = from->of[u];
  }
}

/* A token from instruction `number` of `from` to the new one. */
static void give(builder *b, int from, int number, systole_instruction *to, int unit) {
  step *giver = &b->steps[b->of_unit[from][number - 1]];
  const unsigned mask = (unsigned)SYSTOLE_GET(&giver->instruction, GIVE);
  SYSTOLE_SET(&giver->instruction, GIVE, (int64_t)(mask | 1u << unit));
  SYSTOLE_SET(to, WAIT, (int64_t)(SYSTOLE_GET(to, WAIT) | 1u << from));
  b->given[from][unit] = number;
  learn(&b->knows[unit], &giver->knows);
}

/* Appends the instruction that has just been made, with the tokens it needs. */
static void append(builder *b, systole_instruction instruction) {
  must(b->count < MOST - 1, "a stream stays below its largest length");
  const int unit = systole_opcode_unit((int)SYSTOLE_GET(&instruction, OPCODE));
  const int first = (int)below(b, UNITS); /* one token may spare another */
  for (int i = 0; i < UNITS; i++) {
    const int from = (first + i) % UNITS;
    const int last = b->counts[from] - (from == b->partner);
    const int known = b->knows[unit].of[from];
    if (from == unit) continue;
    int number = b->need[from];
    if (number <= known) {
      if (last <= b->given[from][unit] || !percent(b, 4)) continue;
      number = b->given[from][unit] + 1; /* more than is needed */
    }
    /* A later one does, too. */
    must(number <= last, "what is needed has been done");
    if (percent(b, 15)) number = (int)between(b, number, last);
    give(b, from, number, &instruction, unit);
  }
  memset(b->need, 0, sizeof b->need);
  b->partner = -1;
  step *s = &b->steps[b->count];
  b->of_unit[unit][b->counts[unit]++] = b->count++;
  b->knows[unit].of[unit] = b->counts[unit];
  *s = (step){instruction, unit, b->knows[unit]};
}

/* ---- LOAD and STORE -----------------------------------------------------------------
 */

typedef struct copy {
  int64_t rows, before, after; /* of a line */
  loop lines, blocks;          /* in the unified buffer */
  loop memory_lines, memory_blocks;
  int64_t ub_row, offset;
  int64_t row_bytes;
  int64_t raw_lanes; /* 0: all */
} copy;

/* `total` rows, 0 for any number, in lines and blocks. */
static copy draw_copy(builder *b, int raw, int64_t total) {
  copy c = {.row_bytes = raw ? 4 * b->dim : b->dim};
  if (raw && percent(b, 50)) { /* whole beats of each row */
    c.row_bytes = between(b, 1, c.row_bytes / b->beat) * b->beat;
    c.raw_lanes = c.row_bytes / 4;
  }
  if (total > 0) { /* blocks and lines are divisors */
    int64_t blocks = between(b, 1, 4), lines = between(b, 1, 5);
    while (total % blocks) blocks--;
    while (total / blocks % lines) lines--;
    c.blocks.count = blocks;
    c.lines.count = lines;
    c.rows = total / blocks / lines;
  } else {
    c.blocks.count = percent(b, 60) ? 1 : between(b, 2, 4);
    c.lines.count = percent(b, 50) ? 1 : between(b, 2, 5);
    c.rows = between(b, 1, WINDOW / 2 / (c.blocks.count * c.lines.count));
  }
  c.memory_lines.count = c.lines.count;
  c.memory_blocks.count = c.blocks.count;
  return c;
}

/* Places it in the unified buffer. */
static void draw_ub(builder *b, copy *c) {
  loop loops[2] = {c->lines, c->blocks};
  const int64_t length = c->before + c->rows + c->after;
  const reach r = draw_strides(b, loops, 2, length, WINDOW - length);
  c->lines = loops[0];
  c->blocks = loops[1];
  c->ub_row = b->ub_first + draw_begin(b, r, length, WINDOW);
}

/* Places it in bytes first ... first + bytes - 1 of device memory, in whole beats. */
static void draw_memory(builder *b, copy *c, int64_t first, int64_t bytes) {
  loop loops[2] = {c->memory_lines, c->memory_blocks};
  const int64_t beats = (c->rows * c->row_bytes + b->beat - 1) / b->beat;
  const reach r = draw_strides(b, loops, 2, beats, bytes / b->beat - beats);
  c->memory_lines.stride = loops[0].stride * b->beat;
  c->memory_blocks.stride = loops[1].stride * b->beat;
  c->offset = first + draw_begin(b, r, beats, bytes / b->beat) * b->beat;
}

static void set_copy(systole_instruction *i, const copy *c) {
  SYSTOLE_SET(i, COPY_UB_ROW, c->ub_row);
  SYSTOLE_SET(i, COPY_OFFSET, c->offset);
  SYSTOLE_SET(i, COPY_ROWS, c->rows);
  SYSTOLE_SET(i, COPY_LINES, c->lines.count);
  SYSTOLE_SET(i, COPY_BLOCKS, c->blocks.count);
  SYSTOLE_SET(i, COPY_MEM_LINE_STRIDE, c->memory_lines.stride);
  SYSTOLE_SET(i, COPY_MEM_BLOCK_STRIDE, c->memory_blocks.stride);
  SYSTOLE_SET(i, COPY_UB_LINE_STRIDE, c->lines.stride);
  SYSTOLE_SET(i, COPY_UB_BLOCK_STRIDE, c->blocks.stride);
  SYSTOLE_SET(i, COPY_RAW_LANES, c->raw_lanes);
}

/* All that it touches. */
static void touch_copy(builder *b, const copy *c, int unit, int raw) {
  const int stores = unit == SYSTOLE_UNIT_STORE;
  for (int64_t block = 0; block < c->blocks.count; block++) {
    for (int64_t line = 0; line < c->lines.count; line++) {
      const int64_t row = c->ub_row + block * c->blocks.stride + line * c->lines.stride;
      for (int64_t r = 0; !raw && r < c->before + c->rows + c->after; r++) {
        ub_touch(b, row + r, unit, !stores);
      }
      if (c->rows == 0) continue;
      memory_touch(
          b, c->offset + block * c->memory_blocks.stride + line * c->memory_lines.stride,
          c->rows * c->row_bytes, unit, stores);
    }
  }
}

static void add_load(builder *b) {
  copy c = draw_copy(b, 0, 0);
  if (percent(b, 30)) {
    c.before = between(b, 0, 3);
    c.after = between(b, 0, 3);
    if (percent(b, 20) && c.before + c.after > 0) c.rows = 0;
    const int64_t most = WINDOW / (c.blocks.count * c.lines.count);
    if (c.before + c.rows + c.after > most) c.rows = most - c.before - c.after;
  }
  draw_ub(b, &c);
  draw_memory(b, &c, 0, b->input_bytes + b->work_bytes);
  systole_instruction i = systole_instruction_make(SYSTOLE_OP_LOAD, 0, 0);
  set_copy(&i, &c);
  SYSTOLE_SET(&i, COPY_FILL_BEFORE, c.before);
  SYSTOLE_SET(&i, COPY_FILL_AFTER, c.after);
  SYSTOLE_SET(&i, COPY_FILL_BYTE, between(b, -128, 127));
  if (percent(b, 30)) SYSTOLE_SET(&i, COPY_LAST_LANES, between(b, 0, b->dim));
  touch_copy(b, &c, SYSTOLE_UNIT_LOAD, 0);
  append(b, i);
}

static void add_store(builder *b) {
  copy c = draw_copy(b, 0, 0);
  draw_ub(b, &c);
  draw_memory(b, &c, b->input_bytes, b->work_bytes);
  systole_instruction i = systole_instruction_make(SYSTOLE_OP_STORE, 0, 0);
  set_copy(&i, &c);
  touch_copy(b, &c, SYSTOLE_UNIT_STORE, 0);
  append(b, i);
}

/* ---- WEIGHTS ------------------------------------------------------------------------
 */

static void add_tiles(builder *b, int64_t tiles) {
  systole_instruction i = systole_instruction_make(SYSTOLE_OP_WEIGHTS, 0, 0);
  const int64_t room = (b->params_at - tiles * b->tile_bytes) / b->beat;
  SYSTOLE_SET(&i, WEIGHTS_OFFSET, between(b, 0, room) * b->beat);
  SYSTOLE_SET(&i, WEIGHTS_TILES, tiles);
  b->tiles_ahead += tiles;
  append(b, i);
}

static void add_params(builder *b, int bank) {
  systole_instruction i = systole_instruction_make(SYSTOLE_OP_WEIGHTS, 0, 0);
  SYSTOLE_SET(&i, WEIGHTS_PARAMS, 1);
  SYSTOLE_SET(&i, WEIGHTS_BANK, bank);
  SYSTOLE_SET(&i, WEIGHTS_OFFSET, b->params_at + below(b, PARAM_BLOCKS) * b->param_bytes);
  writes(b, &b->bank[bank], SYSTOLE_UNIT_WEIGHT);
  append(b, i);
}

/* ---- MATMUL -------------------------------------------------------------------------
 */

static int acc_defined(const builder *b, int half, int64_t row, int64_t rows) {
  for (int64_t r = 0; r < rows; r++) {
    if (!b->acc[half][row + r].write) return 0;
  }
  return 1;
}

/* With `steps` reduction steps, 0 for any number. */
static void add_matmul(builder *b, int64_t steps) {
  loop loops[5]; /* rows0, rows1, red0, red1, red2 */
  loops[0].count = between(b, 1, percent(b, 70) ? 8 : ACC_WINDOW / 2);
  loops[1].count = percent(b, 50) ? 1 : between(b, 1, 6);
  while (loops[0].count * loops[1].count > ACC_WINDOW) loops[1].count--;
  for (int l = 2; l < 5; l++) loops[l].count = percent(b, 60) ? 1 : between(b, 1, 3);
  if (steps > 0) {
    for (int l = 2; l < 4; l++) {
      while (steps % loops[l].count) loops[l].count--;
      steps /= loops[l].count;
    }
    loops[4].count = steps;
  }
  const int64_t reductions = loops[2].count * loops[3].count * loops[4].count;
  int64_t rows = loops[0].count * loops[1].count;
  while (rows > 1 && rows * reductions * b->dim * b->dim > LONGEST_RUN) {
    if (loops[1].count > 1) {
      loops[1].count--;
    } else {
      loops[0].count--;
    }
    rows = loops[0].count * loops[1].count;
  }
  const reach r = draw_strides(b, loops, 5, 1, WINDOW - 1);
  const int64_t ub_row = b->ub_first + draw_begin(b, r, 1, WINDOW);
  int half = (int)below(b, 2);
  int64_t acc_row = between(b, 0, ACC_WINDOW - rows);
  if (percent(b, 20) && b->last_row + rows <= ACC_WINDOW) { /* one row in both */
    half = b->last_half;
    acc_row = b->last_row;
  }
  b->last_half = half;
  b->last_row = acc_row + rows - 1;
  const int accumulate = acc_defined(b, half, acc_row, rows) && percent(b, 60);

  while (b->tiles_ahead < reductions) {
    const int64_t most = reductions - b->tiles_ahead + (percent(b, 30) ? 3 : 0);
    add_tiles(b, between(b, 1, most < TILES / 2 ? most : TILES / 2));
  }
  b->tiles_ahead -= reductions;

  systole_instruction i = systole_instruction_make(SYSTOLE_OP_MATMUL, 0, 0);
  SYSTOLE_SET(&i, MATMUL_UB_ROW, ub_row);
  SYSTOLE_SET(&i, MATMUL_ACCUMULATE, accumulate);
  SYSTOLE_SET(&i, MATMUL_ACC_ROW, b->acc_first[half] + acc_row);
  SYSTOLE_SET(&i, MATMUL_ROWS0, loops[0].count);
  SYSTOLE_SET(&i, MATMUL_ROWS1, loops[1].count);
  SYSTOLE_SET(&i, MATMUL_ROW_STRIDE0, loops[0].stride);
  SYSTOLE_SET(&i, MATMUL_ROW_STRIDE1, loops[1].stride);
  SYSTOLE_SET(&i, MATMUL_RED0, loops[2].count);
  SYSTOLE_SET(&i, MATMUL_RED1, loops[3].count);
  SYSTOLE_SET(&i, MATMUL_RED2, loops[4].count);
  SYSTOLE_SET(&i, MATMUL_RED_STRIDE0, loops[2].stride);
  SYSTOLE_SET(&i, MATMUL_RED_STRIDE1, loops[3].stride);
  SYSTOLE_SET(&i, MATMUL_RED_STRIDE2, loops[4].stride);
  for (int64_t s = 0; s < reductions; s++) {
    const int64_t first = ub_row + s % loops[2].count * loops[2].stride +
                          s / loops[2].count % loops[3].count * loops[3].stride +
                          s / loops[2].count / loops[3].count * loops[4].stride;
    for (int64_t n = 0; n < rows; n++) {
      ub_touch(b,
               first + n % loops[0].count * loops[0].stride +
                   n / loops[0].count * loops[1].stride,
               SYSTOLE_UNIT_ARRAY, 0);
    }
  }
  for (int64_t n = 0; n < rows; n++) {
    writes(b, &b->acc[half][acc_row + n], SYSTOLE_UNIT_ARRAY);
  }
  append(b, i);
}

/* ---- ACTIVATE -----------------------------------------------------------------------
 */

/* A run of at most `most` accumulator rows that were written; 0 when there is none. */
static int64_t draw_acc_rows(builder *b, int64_t most, int *half, int64_t *row) {
  *half = (int)below(b, 2);
  for (int tries = 0; tries < 2; tries++, *half ^= 1) {
    const int64_t first = below(b, ACC_WINDOW);
    for (int64_t i = 0; i < ACC_WINDOW; i++) {
      *row = (first + i) % ACC_WINDOW;
      int64_t rows = 0;
      while (rows < most && *row + rows < ACC_WINDOW &&
             b->acc[*half][*row + rows].write) {
        rows++;
      }
      if (rows > 0) return between(b, 1, rows);
    }
  }
  return 0;
}

static void use_bank(builder *b, systole_instruction *i, int bank) {
  SYSTOLE_SET(i, ACTIVATE_BANK, bank);
  reads(b, &b->bank[bank], SYSTOLE_UNIT_ACTIVATE);
}

/* A bank that holds something, filled anew now and then. */
static int need_bank(builder *b) {
  const int bank = (int)below(b, 2);
  if (!b->bank[bank].write || percent(b, 30)) add_params(b, bank);
  return bank;
}

static int has_feature(const builder *b, int feature) {
  return (int)(b->g.features >> feature & 1);
}

/* Accumulator rows as an image and a pool over it, as host/engine/epilogue.h defines
 * them: windows at the borders lie partly, some wholly in the padding. Returns the
 * accumulator rows of the image. */
static int64_t draw_pool(builder *b, systole_instruction *i, int mode, int64_t most,
                         loop out[2]) {
  enum { LARGEST = 15, LONGEST_POOL = 2048 }; /* rows that are read, one a cycle */
  int64_t in[2], window[2], stride[2], pad[2];
  in[0] = between(b, 1, most < 12 ? most : 12);
  in[1] = between(b, 1, most / in[0] < 12 ? most / in[0] : 12);
  for (int d = 0; d < 2; d++) {
    window[d] = between(b, 1, percent(b, 70) ? 3 : LARGEST);
    stride[d] = between(b, percent(b, 5) ? 0 : 1, percent(b, 70) ? 3 : LARGEST);
    pad[d] = percent(b, 50) ? 0 : between(b, 0, percent(b, 10) ? LARGEST : window[d] - 1);
    /* Outputs whose windows begin in the image, and one more. */
    int64_t count = stride[d] ? (in[d] - 1 + pad[d]) / stride[d] + 1 : 3;
    if (percent(b, 10)) count++;
    out[d].count = percent(b, 60) ? count : between(b, 1, count);
  }
  while (out[0].count * out[1].count * window[0] * window[1] > LONGEST_POOL) {
    out[out[1].count > 1].count--;
  }
  SYSTOLE_SET(i, ACTIVATE_POOL, mode);
  SYSTOLE_SET(i, ACTIVATE_POOL_WIDTH, window[0]);
  SYSTOLE_SET(i, ACTIVATE_POOL_HEIGHT, window[1]);
  SYSTOLE_SET(i, ACTIVATE_POOL_STRIDE_W, stride[0]);
  SYSTOLE_SET(i, ACTIVATE_POOL_STRIDE_H, stride[1]);
  SYSTOLE_SET(i, ACTIVATE_POOL_PAD_LEFT, pad[0]);
  SYSTOLE_SET(i, ACTIVATE_POOL_PAD_TOP, pad[1]);
  SYSTOLE_SET(i, ACTIVATE_POOL_IN_WIDTH, in[0]);
  SYSTOLE_SET(i, ACTIVATE_POOL_IN_HEIGHT, in[1]);
  return in[0] * in[1];
}

/* Row n of two nested loops. */
static int64_t pattern(int64_t first, const loop loops[2], int64_t n) {
  return first + n % loops[0].count * loops[0].stride +
         n / loops[0].count * loops[1].stride;
}

/* An operand for every output row, unless the instruction itself has overwritten it by
 * then: the unit reads ahead. */
static void draw_residual(builder *b, systole_instruction *i, int64_t ub_row,
                          const loop out[2]) {
  loop from[2] = {{out[0].count, 0}, {out[1].count, 0}};
  reach r = draw_strides(b, from, 2, 1, WINDOW - 1);
  int64_t row = b->ub_first + draw_begin(b, r, 1, WINDOW);
  if (percent(b, 20)) { /* in place */
    row = ub_row;
    from[0] = out[0];
    from[1] = out[1];
  }
  const int64_t rows = out[0].count * out[1].count;
  for (int64_t n = 0; n < rows; n++) {
    for (int64_t before = 0; before < n; before++) {
      if (pattern(ub_row, out, before) == pattern(row, from, n)) return;
    }
  }
  SYSTOLE_SET(i, ACTIVATE_RESIDUAL, 1);
  SYSTOLE_SET(i, ACTIVATE_RES_ROW, row);
  SYSTOLE_SET(i, ACTIVATE_RES_STRIDE0, from[0].stride);
  SYSTOLE_SET(i, ACTIVATE_RES_STRIDE1, from[1].stride);
  SYSTOLE_SET(i, ACTIVATE_RES_MUL, between(b, -(1 << 16), (1 << 16) - 1));
  SYSTOLE_SET(i, ACTIVATE_RES_ZERO, between(b, -128, 127));
  for (int64_t n = 0; n < rows; n++) {
    ub_touch(b, pattern(row, from, n), SYSTOLE_UNIT_ACTIVATE, 0);
  }
}

static void add_activate(builder *b) {
  int half;
  int64_t row;
  const int bank = need_bank(b);
  int64_t rows = draw_acc_rows(b, ACC_WINDOW, &half, &row);
  if (rows == 0) return;
  systole_instruction i = systole_instruction_make(SYSTOLE_OP_ACTIVATE, 0, 0);
  const int pools = has_feature(b, SYSTOLE_FEATURE_POOL) && percent(b, 40);
  loop out[2];
  if (pools) {
    const int mode = percent(b, 50) ? SYSTOLE_POOL_MAX : SYSTOLE_POOL_AVERAGE;
    rows = draw_pool(b, &i, mode, rows, out);
  } else {
    if (rows > WINDOW / 4) rows = WINDOW / 4;
    out[1].count = between(b, 1, 5);
    while (rows % out[1].count) out[1].count--;
    out[0].count = rows / out[1].count;
  }
  const reach r = draw_strides(b, out, 2, 1, WINDOW - 1);
  const int64_t ub_row = b->ub_first + draw_begin(b, r, 1, WINDOW);
  SYSTOLE_SET(&i, ACTIVATE_ACC_ROW, b->acc_first[half] + row);
  SYSTOLE_SET(&i, ACTIVATE_ROWS0, out[0].count);
  SYSTOLE_SET(&i, ACTIVATE_ROWS1, out[1].count);
  SYSTOLE_SET(&i, ACTIVATE_UB_ROW, ub_row);
  SYSTOLE_SET(&i, ACTIVATE_UB_STRIDE0, out[0].stride);
  SYSTOLE_SET(&i, ACTIVATE_UB_STRIDE1, out[1].stride);
  SYSTOLE_SET(&i, ACTIVATE_BIAS, below(b, 2));
  SYSTOLE_SET(&i, ACTIVATE_ZERO_POINT, between(b, -128, 127));
  const int64_t low = percent(b, 50) ? -128 : between(b, -128, 127);
  SYSTOLE_SET(&i, ACTIVATE_CLAMP_LOW, low);
  SYSTOLE_SET(&i, ACTIVATE_CLAMP_HIGH, percent(b, 50) ? 127 : between(b, low, 127));
  if (has_feature(b, SYSTOLE_FEATURE_RESIDUAL) && percent(b, 40)) {
    draw_residual(b, &i, ub_row, out);
  }
  use_bank(b, &i, bank);
  for (int64_t n = 0; n < rows; n++) {
    reads(b, &b->acc[half][row + n], SYSTOLE_UNIT_ACTIVATE);
  }
  for (int64_t n = 0; n < out[0].count * out[1].count; n++) {
    ub_touch(b, pattern(ub_row, out, n), SYSTOLE_UNIT_ACTIVATE, 1);
  }
  append(b, i);
}

/* `rows` accumulator rows of a half from `row` on, each as it is or pooled: what comes
 * out goes to `offset` when that is not negative, else anywhere. */
typedef struct raw {
  int half;
  int64_t row, rows;
  systole_instruction activate; /* with a pool or without */
  int64_t results;
  int64_t offset;
} raw;

static raw raw_rows(int half, int64_t row, int64_t rows, int64_t offset) {
  return (raw){.half = half,
               .row = row,
               .rows = rows,
               .activate = systole_instruction_make(SYSTOLE_OP_ACTIVATE, 0, 0),
               .results = rows,
               .offset = offset};
}

/* An ACTIVATE and the STORE that takes its rows; dispatch may meet either first. */
static void add_raw_pair(builder *b, raw r) {
  const int with_bias = r.offset < 0 && percent(b, 50);
  const int bank = with_bias ? need_bank(b) : 0;
  const int store_first = percent(b, 50);
  copy c = draw_copy(b, 1, r.results);
  if (r.offset < 0) {
    draw_memory(b, &c, b->input_bytes, b->work_bytes);
  } else {
    c = (copy){.rows = r.results,
               .lines = {1, 0},
               .blocks = {1, 0},
               .memory_lines = {1, 0},
               .memory_blocks = {1, 0},
               .offset = r.offset,
               .row_bytes = 4 * b->dim};
  }
  for (int turn = 0; turn < 2; turn++) {
    if (turn == 1) b->partner = store_first ? SYSTOLE_UNIT_STORE : SYSTOLE_UNIT_ACTIVATE;
    if ((turn == 0) == store_first) {
      systole_instruction i = systole_instruction_make(SYSTOLE_OP_STORE, 0, 0);
      set_copy(&i, &c);
      SYSTOLE_SET(&i, COPY_RAW, 1);
      if (percent(b, 20)) SYSTOLE_SET(&i, COPY_UB_ROW, below(b, 1 << 20)); /* unused */
      touch_copy(b, &c, SYSTOLE_UNIT_STORE, 1);
      append(b, i);
    } else {
      systole_instruction i = r.activate;
      SYSTOLE_SET(&i, ACTIVATE_RAW, 1);
      SYSTOLE_SET(&i, ACTIVATE_ACC_ROW, b->acc_first[r.half] + r.row);
      if (!SYSTOLE_GET(&i, ACTIVATE_POOL)) {
        int64_t lines = between(b, 1, 5);
        while (r.results % lines) lines--;
        SYSTOLE_SET(&i, ACTIVATE_ROWS0, r.results / lines);
        SYSTOLE_SET(&i, ACTIVATE_ROWS1, lines);
      }
      for (int64_t n = 0; n < r.rows; n++) {
        reads(b, &b->acc[r.half][r.row + n], SYSTOLE_UNIT_ACTIVATE);
      }
      if (with_bias) {
        SYSTOLE_SET(&i, ACTIVATE_BIAS, 1);
        use_bank(b, &i, bank);
      }
      append(b, i);
    }
  }
}

static void add_raw(builder *b) {
  enum { MOST_RESULTS = 40 }; /* they are long */
  int half;
  int64_t row;
  const int64_t rows = draw_acc_rows(b, MOST_RESULTS, &half, &row);
  if (rows == 0) return;
  raw r = raw_rows(half, row, rows, -1);
  if (has_feature(b, SYSTOLE_FEATURE_POOL) && percent(b, 25)) {
    loop out[2];
    r.rows = draw_pool(b, &r.activate, SYSTOLE_POOL_AVERAGE, rows, out);
    while (out[0].count * out[1].count > MOST_RESULTS) out[out[1].count > 1].count--;
    r.results = out[0].count * out[1].count;
    SYSTOLE_SET(&r.activate, ACTIVATE_ROWS0, out[0].count);
    SYSTOLE_SET(&r.activate, ACTIVATE_ROWS1, out[1].count);
  }
  add_raw_pair(b, r);
}

/* ---- the whole ----------------------------------------------------------------------
 */

static void open_windows(builder *b) {
  const int64_t half = b->g.acc_rows / 2, ub_rows = b->g.ub_rows;
  const int64_t ub_choices[] = {0, ub_rows - WINDOW, between(b, 0, ub_rows - WINDOW)};
  b->ub_first = ub_choices[below(b, 3)];
  for (int h = 0; h < 2; h++) {
    const int64_t choices[] = {0, half - ACC_WINDOW, between(b, 0, half - ACC_WINDOW)};
    b->acc_first[h] = h * half + choices[below(b, 3)];
  }
}

/* All rows of the window get a value before anyone reads one. */
static void define_window(builder *b) {
  const int64_t parts = between(b, 1, 4);
  for (int64_t p = 0; p < parts; p++) {
    const int64_t first = p * WINDOW / parts, end = (p + 1) * WINDOW / parts;
    copy c = {.rows = end - first,
              .lines = {1, 0},
              .blocks = {1, 0},
              .memory_lines = {1, 0},
              .memory_blocks = {1, 0},
              .ub_row = b->ub_first + first,
              .row_bytes = b->dim};
    draw_memory(b, &c, 0, b->input_bytes);
    systole_instruction i = systole_instruction_make(SYSTOLE_OP_LOAD, 0, 0);
    set_copy(&i, &c);
    touch_copy(b, &c, SYSTOLE_UNIT_LOAD, 0);
    append(b, i);
  }
}

/* What is left in the kernel becomes visible. */
static void dump(builder *b) {
  copy c = {.rows = WINDOW,
            .lines = {1, 0},
            .blocks = {1, 0},
            .memory_lines = {1, 0},
            .memory_blocks = {1, 0},
            .ub_row = b->ub_first,
            .offset = b->dump_at,
            .row_bytes = b->dim};
  systole_instruction i = systole_instruction_make(SYSTOLE_OP_STORE, 0, 0);
  set_copy(&i, &c);
  touch_copy(b, &c, SYSTOLE_UNIT_STORE, 0);
  append(b, i);
  int64_t offset = b->dump_at + WINDOW * b->dim;
  for (int half = 0; half < 2; half++) {
    for (int64_t row = 0; row < ACC_WINDOW;) {
      int64_t rows = 0;
      while (row + rows < ACC_WINDOW && b->acc[half][row + rows].write) rows++;
      if (rows > 0) {
        add_raw_pair(b, raw_rows(half, row, rows, offset));
        offset += rows * 4 * b->dim;
      }
      row += rows + 1;
    }
  }
}

static void fill(builder *b) {
  const int64_t length = between(b, 8, 70);
  open_windows(b);
  define_window(b);
  for (int64_t n = 0; n < length; n++) {
    const int64_t kind = below(b, 100);
    if (kind < 22) {
      add_load(b);
    } else if (kind < 30) {
      add_tiles(b, between(b, 1, 3));
    } else if (kind < 35) {
      add_params(b, (int)below(b, 2));
    } else if (kind < 62) {
      add_matmul(b, 0);
    } else if (kind < 78) {
      add_activate(b);
    } else if (kind < 88) {
      add_raw(b);
    } else {
      add_store(b);
    }
  }
  while (b->tiles_ahead > 0) {
    add_matmul(b, b->tiles_ahead < 12 ? b->tiles_ahead : 12);
  }
  dump(b);
}

/* Changes neighbours of different units `swaps` times. */
static void shuffle(builder *b, systole_instruction *at, int64_t swaps) {
  for (int i = 0; i < b->count; i++) at[i] = b->steps[i].instruction;
  for (int64_t n = 0; n < swaps; n++) {
    const int64_t i = below(b, b->count - 1);
    const systole_instruction first = at[i];
    if (SYSTOLE_GET(&at[i], OPCODE) == SYSTOLE_GET(&at[i + 1], OPCODE)) continue;
    at[i] = at[i + 1];
    at[i + 1] = first;
  }
  at[b->count] = systole_instruction_make(SYSTOLE_OP_END, 0, 0);
}

static void fill_memory(builder *b, stream *s) {
  s->activation_bytes = (uint64_t)(b->dump_at + b->dump_bytes);
  s->weight_bytes = (uint64_t)(b->params_at + PARAM_BLOCKS * b->param_bytes);
  s->activations = malloc((size_t)s->activation_bytes);
  s->weights = malloc((size_t)s->weight_bytes);
  must(s->activations && s->weights, "there is memory");
  systole_random_int8(&b->random, (int8_t *)s->activations, (size_t)s->activation_bytes);
  systole_random_int8(&b->random, (int8_t *)s->weights, (size_t)s->weight_bytes);
  if (percent(b, 30)) { /* extremes: sums as large as they get */
    for (uint64_t i = 0; i < s->activation_bytes; i++) {
      s->activations[i] = s->activations[i] & 0x80 ? 0x80 : 0x7F;
    }
  }
  /* Shifts are 0 ... 47; the bits above them mean nothing. Large sums need large shifts,
   * or every result is at a limit. */
  for (int64_t c = 0; c < PARAM_BLOCKS * b->dim; c++) {
    uint8_t *word = s->weights + b->params_at + c / b->dim * b->param_bytes +
                    c % b->dim * SYSTOLE_PARAM_BYTES;
    const uint64_t shift =
        (uint64_t)(percent(b, 20) ? below(b, SYSTOLE_MAX_SHIFT + 1) : between(b, 16, 28));
    uint64_t value = systole_random_next(&b->random);
    value &=
        ~(((UINT64_C(1) << SYSTOLE_PARAM_SHIFT_BITS) - 1) << SYSTOLE_PARAM_SHIFT_LSB);
    value |= shift << SYSTOLE_PARAM_SHIFT_LSB;
    if (percent(b, 70)) { /* a bias of the size of the sums */
      const uint32_t bias = (uint32_t)between(b, -100000, 100000);
      value = (value & ~UINT64_C(0xFFFFFFFF)) | bias;
    }
    for (int i = 0; i < 8; i++) word[i] = (uint8_t)(value >> (8 * i));
  }
}

static int64_t whole_blocks(int64_t bytes) {
  return (bytes + SYSTOLE_BLOCK_ALIGN - 1) / SYSTOLE_BLOCK_ALIGN * SYSTOLE_BLOCK_ALIGN;
}

/* An attempt with these random numbers. 0: it cannot end, whatever the order. */
static int attempt(builder *b, stream *s, uint64_t seed) {
  const systole_geometry *g = &s->geometry;
  memset(b, 0, sizeof *b);
  systole_random_seed(&b->random, seed);
  b->g = *g;
  b->dim = g->dim;
  b->beat = g->axi_bytes;
  b->piece = b->dim < b->beat ? b->dim : b->beat;
  b->input_bytes = whole_blocks(INPUT_ROWS * b->dim);
  b->work_bytes = whole_blocks(WORK_ROWS * b->dim);
  b->dump_at = b->input_bytes + b->work_bytes;
  b->dump_bytes = whole_blocks((WINDOW + 2 * ACC_WINDOW * 4) * b->dim);
  b->tile_bytes = b->dim * b->dim;
  b->param_bytes = whole_blocks(SYSTOLE_PARAM_BYTES * b->dim);
  b->params_at = whole_blocks(TILES * b->tile_bytes);
  b->partner = -1;
  const int64_t pieces = (b->dump_at + b->dump_bytes) / b->piece;
  b->memory = calloc((size_t)pieces, sizeof *b->memory);
  must(b->memory != NULL, "there is memory");
  fill(b);
  free(b->memory);
  s->count = (uint32_t)b->count + 1;
  for (int64_t swaps = between(b, 1, 3 * b->count);; swaps /= 2) {
    shuffle(b, s->at, swaps);
    if (systole_prove(s->at, s->count, g) == SYSTOLE_OK) return 1;
    if (swaps == 0) return 0; /* tokens behind tiles for which there is no room */
  }
}

stream stream_make(const systole_geometry *geometry, uint64_t seed) {
  enum { ATTEMPTS = 30 };
  stream s = {*geometry, seed, NULL, 0, NULL, NULL, 0, 0};
  builder *b = malloc(sizeof *b);
  s.at = malloc(MOST * sizeof *s.at);
  must(b && s.at, "there is memory");
  uint64_t n = 0;
  while (!attempt(b, &s, seed + (n << 40))) {
    n++;
    must(n < ATTEMPTS, "some order of a seed's stream ends");
  }
  fill_memory(b, &s);
  free(b);
  return s;
}

void stream_free(stream *s) {
  free(s->at);
  free(s->activations);
  free(s->weights);
}

int64_t stream_writer(const stream *s, uint64_t byte) {
  int64_t writer = -1;
  for (uint32_t n = 0; n < s->count; n++) {
    const systole_instruction *i = &s->at[n];
    if (SYSTOLE_GET(i, OPCODE) != SYSTOLE_OP_STORE) continue;
    const int64_t bytes = (int64_t)SYSTOLE_GET(i, COPY_ROWS) * s->geometry.dim *
                          (SYSTOLE_GET(i, COPY_RAW) ? 4 : 1);
    for (int64_t block = 0; block < (int64_t)SYSTOLE_GET(i, COPY_BLOCKS); block++) {
      for (int64_t line = 0; line < (int64_t)SYSTOLE_GET(i, COPY_LINES); line++) {
        const int64_t first = (int64_t)SYSTOLE_GET(i, COPY_OFFSET) +
                              block * SYSTOLE_GET_SIGNED(i, COPY_MEM_BLOCK_STRIDE) +
                              line * SYSTOLE_GET_SIGNED(i, COPY_MEM_LINE_STRIDE);
        if ((int64_t)byte >= first && (int64_t)byte < first + bytes) writer = n;
      }
    }
  }
  return writer;
}

void stream_print(FILE *out, const stream *s) {
  for (uint32_t n = 0; n < s->count; n++) {
    char text[512];
    systole_instruction_print(text, sizeof text, &s->at[n]);
    (void)fprintf(out, "%5u  %s\n", n, text);
  }
}
