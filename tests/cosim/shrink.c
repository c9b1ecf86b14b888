/* Delta debugging on the instructions, with what an instruction stream needs besides:
 *
 *   - Tokens are taken as arrows from the instruction that gives to the one that takes
 *     (tokens of a pair of units are matched in order). When an instruction goes, whoever
 *     waited for it waits for what it waited for, so the rest keeps its order.
 *   - The tiles of a MATMUL go with it, out of the WEIGHTS that brings them.
 *   - A raw ACTIVATE and its STORE go, and lose rows, together.
 *
 * First instructions go, in halves, quarters, ... of the stream, the last ones first:
 * nothing depends on them. Then counts, features and tokens, until nothing more goes; at
 * last the data. */
#include "shrink.h"

#include <stdlib.h>
#include <string.h>

enum { UNITS = SYSTOLE_UNITS, SMALLEST_PIECE = 64 };

typedef struct arrow {
  int from, to; /* instructions */
} arrow;

/* A stream whose tokens are arrows. */
typedef struct draft {
  const stream *of;
  systole_instruction *at;
  int *unit;
  int count; /* END included */
  arrow *arrows;
  int arrow_count, arrow_room;
} draft;

typedef struct search {
  shrink_predicate *fails;
  void *user;
  stream best;
  shrink_report report;
} search;

static void *must_have(void *memory) {
  if (memory == NULL) abort(); /* out of memory, in a test */
  return memory;
}

static stream copy_stream(const stream *s) {
  stream c = *s;
  c.at = must_have(malloc(s->count * sizeof *s->at));
  c.activations = must_have(malloc((size_t)s->activation_bytes));
  c.weights = must_have(malloc((size_t)s->weight_bytes));
  memcpy(c.at, s->at, s->count * sizeof *s->at);
  memcpy(c.activations, s->activations, (size_t)s->activation_bytes);
  memcpy(c.weights, s->weights, (size_t)s->weight_bytes);
  return c;
}

static int opcode_of(const systole_instruction *i) { return (int)SYSTOLE_GET(i, OPCODE); }

/* ---- tokens as arrows ---------------------------------------------------------------
 */

static void add_arrow(draft *d, int from, int to) {
  if (d->arrow_count == d->arrow_room) {
    d->arrow_room = d->arrow_room * 2 + 64;
    d->arrows = must_have(realloc(d->arrows, (size_t)d->arrow_room * sizeof *d->arrows));
  }
  d->arrows[d->arrow_count++] = (arrow){from, to};
}

/* Drops arrows that others imply: between two units, an arrow from p to q is implied by
 * one from p or later to q or earlier. What is left can be tokens. */
static void prune(draft *d) {
  int *need = must_have(malloc((size_t)d->count * UNITS * sizeof *need));
  int last[UNITS][UNITS], count = 0;
  memset(last, -1, sizeof last);
  memset(need, -1, (size_t)d->count * UNITS * sizeof *need);
  for (int a = 0; a < d->arrow_count; a++) {
    int *latest = &need[d->arrows[a].to * UNITS + d->unit[d->arrows[a].from]];
    if (d->arrows[a].from > *latest) *latest = d->arrows[a].from;
  }
  for (int to = 0; to < d->count; to++) {
    for (int from = 0; from < UNITS; from++) {
      const int giver = need[to * UNITS + from];
      if (giver < 0 || giver <= last[from][d->unit[to]]) continue;
      last[from][d->unit[to]] = giver;
      d->arrows[count++] = (arrow){giver, to};
    }
  }
  d->arrow_count = count;
  free(need);
}

static draft draft_open(const stream *s) {
  draft d = {.of = s, .count = (int)s->count};
  d.at = must_have(malloc(s->count * sizeof *d.at));
  d.unit = must_have(malloc(s->count * sizeof *d.unit));
  memcpy(d.at, s->at, s->count * sizeof *d.at);
  for (int n = 0; n < d.count; n++) d.unit[n] = systole_opcode_unit(opcode_of(&d.at[n]));
  for (int from = 0; from < UNITS; from++) {
    for (int to = 0; to < UNITS; to++) {
      int giver = -1;
      for (int taker = 0; from != to && taker < d.count; taker++) {
        if (d.unit[taker] != to || !(SYSTOLE_GET(&d.at[taker], WAIT) >> from & 1)) {
          continue;
        }
        do {
          giver++;
        } while (giver < d.count &&
                 !(d.unit[giver] == from && SYSTOLE_GET(&d.at[giver], GIVE) >> to & 1));
        if (giver == d.count) break; /* it would wait for ever: no right stream */
        add_arrow(&d, giver, taker);
      }
    }
  }
  return d;
}

/* Without instruction n. Later ones keep their numbers until draft_close. */
static void draft_drop(draft *d, int n) {
  const int unit = d->unit[n], arrows = d->arrow_count;
  int before = n - 1, after = n + 1, kept = 0;
  if (unit < 0 || unit >= UNITS) return;
  while (before >= 0 && d->unit[before] != unit) before--;
  while (after < d->count && d->unit[after] != unit) after++;
  for (int a = 0; a < arrows; a++) {
    const arrow in = d->arrows[a];
    if (in.to != n) continue;
    if (after < d->count) add_arrow(d, in.from, after);
    for (int b = 0; b < arrows; b++) {
      const arrow out = d->arrows[b];
      if (out.from == n && d->unit[in.from] != d->unit[out.to]) {
        add_arrow(d, in.from, out.to);
      }
    }
  }
  for (int b = 0; b < arrows; b++) {
    const arrow out = d->arrows[b];
    if (out.from == n && before >= 0) add_arrow(d, before, out.to);
  }
  for (int a = 0; a < d->arrow_count; a++) {
    const arrow one = d->arrows[a];
    if (one.from != n && one.to != n) d->arrows[kept++] = one;
  }
  d->arrow_count = kept;
  d->unit[n] = -1;
  prune(d);
}

/* The draft as a stream of its own. */
static stream draft_close(draft *d) {
  stream s = copy_stream(d->of);
  for (int n = 0; n < d->count; n++) {
    if (opcode_of(&d->at[n]) == SYSTOLE_OP_END) continue;
    SYSTOLE_SET(&d->at[n], WAIT, 0);
    SYSTOLE_SET(&d->at[n], GIVE, 0);
  }
  for (int a = 0; a < d->arrow_count; a++) {
    systole_instruction *from = &d->at[d->arrows[a].from], *to = &d->at[d->arrows[a].to];
    SYSTOLE_SET(from, GIVE,
                (int64_t)(SYSTOLE_GET(from, GIVE) | 1u << d->unit[d->arrows[a].to]));
    SYSTOLE_SET(to, WAIT,
                (int64_t)(SYSTOLE_GET(to, WAIT) | 1u << d->unit[d->arrows[a].from]));
  }
  s.count = 0;
  for (int n = 0; n < d->count; n++) {
    if (d->unit[n] >= 0) s.at[s.count++] = d->at[n];
  }
  free(d->at);
  free(d->unit);
  free(d->arrows);
  *d = (draft){0};
  return s;
}

/* ---- tiles and raw pairs ------------------------------------------------------------
 */

static int brings_tiles(const systole_instruction *i) {
  return opcode_of(i) == SYSTOLE_OP_WEIGHTS && !SYSTOLE_GET(i, WEIGHTS_PARAMS);
}

static int is_raw(const systole_instruction *i) {
  return (opcode_of(i) == SYSTOLE_OP_ACTIVATE && SYSTOLE_GET(i, ACTIVATE_RAW)) ||
         (opcode_of(i) == SYSTOLE_OP_STORE && SYSTOLE_GET(i, COPY_RAW));
}

static int64_t steps_of(const systole_instruction *i) {
  return (int64_t)(SYSTOLE_GET(i, MATMUL_RED0) * SYSTOLE_GET(i, MATMUL_RED1) *
                   SYSTOLE_GET(i, MATMUL_RED2));
}

/* The other half of raw instruction n, -1 without one. */
static int raw_partner(const systole_instruction *at, int count, int n) {
  int number = 0, seen = 0;
  for (int i = 0; i < n; i++) {
    number += is_raw(&at[i]) && opcode_of(&at[i]) == opcode_of(&at[n]);
  }
  for (int i = 0; i < count; i++) {
    if (!is_raw(&at[i]) || opcode_of(&at[i]) == opcode_of(&at[n])) continue;
    if (seen++ == number) return i;
  }
  return -1;
}

/* First of the tiles that MATMUL n takes, counted over the whole stream. */
static int64_t first_tile(const systole_instruction *at, int n) {
  int64_t tile = 0;
  for (int i = 0; i < n; i++) {
    if (opcode_of(&at[i]) == SYSTOLE_OP_MATMUL) tile += steps_of(&at[i]);
  }
  return tile;
}

/* Takes the tiles with gone[tile] out of the WEIGHTS that bring them; those that have
 * none left are dropped. */
static void drop_tiles(draft *d, const uint8_t *gone) {
  const int64_t bytes = (int64_t)d->of->geometry.dim * d->of->geometry.dim;
  int64_t tile = 0;
  for (int n = 0; n < d->count; n++) {
    systole_instruction *i = &d->at[n];
    if (d->unit[n] < 0 || !brings_tiles(i)) continue;
    const int64_t tiles = (int64_t)SYSTOLE_GET(i, WEIGHTS_TILES);
    int64_t left = 0, first = -1;
    for (int64_t t = 0; t < tiles; t++) {
      if (gone[tile + t]) continue;
      if (first < 0) first = t;
      left++;
    }
    tile += tiles;
    if (left == 0) {
      draft_drop(d, n);
      continue;
    }
    SYSTOLE_SET(i, WEIGHTS_OFFSET,
                (int64_t)SYSTOLE_GET(i, WEIGHTS_OFFSET) + first * bytes);
    SYSTOLE_SET(i, WEIGHTS_TILES, left);
  }
}

static uint8_t *all_tiles(const systole_instruction *at, int count) {
  int64_t brought = 0, taken = 0;
  for (int n = 0; n < count; n++) {
    if (brings_tiles(&at[n])) brought += (int64_t)SYSTOLE_GET(&at[n], WEIGHTS_TILES);
    if (opcode_of(&at[n]) == SYSTOLE_OP_MATMUL) taken += steps_of(&at[n]);
  }
  return must_have(calloc((size_t)(brought > taken ? brought : taken) + 1, 1));
}

/* ---- attempts -----------------------------------------------------------------------
 */

/* Tries `candidate`, which it owns from then on. 1: it fails, too, and is the best now.
 */
static int try_stream(search *x, stream candidate) {
  if (x->report.trials >= SHRINK_MOST_TRIALS) x->report.exhausted = 1;
  if (x->report.exhausted || (x->report.trials++, !x->fails(x->user, &candidate))) {
    stream_free(&candidate);
    return 0;
  }
  stream_free(&x->best);
  x->best = candidate;
  return 1;
}

/* `s` without instructions first ... last and what goes with them. 0: nothing went. */
static int without(stream *out, const stream *s, int first, int last) {
  const int count = (int)s->count;
  uint8_t *goes = must_have(calloc((size_t)count, 1));
  uint8_t *gone = all_tiles(s->at, count);
  int any = 0;
  draft d = draft_open(s);
  for (int n = first; n <= last; n++) {
    const systole_instruction *i = &s->at[n];
    if (opcode_of(i) == SYSTOLE_OP_END || brings_tiles(i)) continue;
    goes[n] = 1;
    if (!is_raw(i)) continue;
    const int partner = raw_partner(s->at, count, n);
    if (partner >= 0) goes[partner] = 1;
  }
  for (int n = 0; n < count; n++) {
    if (!goes[n]) continue;
    any = 1;
    if (opcode_of(&s->at[n]) == SYSTOLE_OP_MATMUL) {
      memset(gone + first_tile(s->at, n), 1, (size_t)steps_of(&s->at[n]));
    }
    draft_drop(&d, n);
  }
  drop_tiles(&d, gone);
  *out = draft_close(&d);
  if (!any) stream_free(out);
  free(gone);
  free(goes);
  return any;
}

int shrink_without(stream *out, const stream *s, uint32_t n) {
  return without(out, s, (int)n, (int)n);
}

/* 1: something went. */
static int drop_instructions(search *x) {
  int any = 0;
  for (int length = (int)x->best.count; length > 0; length /= 2) {
    for (int last = (int)x->best.count - 2; last >= 0;) {
      const int first = last - length + 1 > 0 ? last - length + 1 : 0;
      stream candidate;
      if (without(&candidate, &x->best, first, last)) {
        any |= try_stream(x, candidate);
      }
      last = first - 1;
      if (last > (int)x->best.count - 2) last = (int)x->best.count - 2;
    }
  }
  return any;
}

/* Tokens one by one. */
static int drop_tokens(search *x) {
  int any = 0;
  for (int a = 0;; a++) {
    draft d = draft_open(&x->best);
    const int more = a < d.arrow_count;
    if (more) {
      memmove(&d.arrows[a], &d.arrows[a + 1],
              (size_t)(d.arrow_count - a - 1) * sizeof *d.arrows);
      d.arrow_count--;
    }
    stream candidate = draft_close(&d);
    if (!more) {
      stream_free(&candidate);
      return any;
    }
    if (try_stream(x, candidate)) {
      any = 1;
      a--; /* the next one has moved here */
    }
  }
}

/* Two WEIGHTS of tiles as one, where the first is. */
static int merge_weights(search *x) {
  int any = 0;
  for (int second = 0; second < (int)x->best.count; second++) {
    int first = second - 1;
    if (!brings_tiles(&x->best.at[second])) continue;
    while (first >= 0 && !brings_tiles(&x->best.at[first])) first--;
    if (first < 0) continue;
    draft d = draft_open(&x->best);
    SYSTOLE_SET(&d.at[first], WEIGHTS_TILES,
                (int64_t)(SYSTOLE_GET(&d.at[first], WEIGHTS_TILES) +
                          SYSTOLE_GET(&d.at[second], WEIGHTS_TILES)));
    draft_drop(&d, second);
    if (!try_stream(x, draft_close(&d))) continue;
    any = 1;
    second--; /* the next one has moved here */
  }
  return any;
}

/* ---- fields -------------------------------------------------------------------------
 */

/* The field by its position in the encoding: names repeat, positions do not. */
#define IS(field, name) \
  ((field)->lsb == SYSTOLE_##name##_LSB && (field)->bits == SYSTOLE_##name##_BITS)

/* What is simplest for a field, and whether values between that and the present one are
 * simpler than the present one, too. */
static int64_t simplest(const systole_instruction *i, const systole_field *f,
                        int *by_halves) {
  const int opcode = opcode_of(i);
  static const struct {
    int opcode, lsb;
  } counts[] = {
      {SYSTOLE_OP_LOAD, SYSTOLE_COPY_LINES_LSB},
      {SYSTOLE_OP_LOAD, SYSTOLE_COPY_BLOCKS_LSB},
      {SYSTOLE_OP_STORE, SYSTOLE_COPY_ROWS_LSB},
      {SYSTOLE_OP_STORE, SYSTOLE_COPY_LINES_LSB},
      {SYSTOLE_OP_STORE, SYSTOLE_COPY_BLOCKS_LSB},
      {SYSTOLE_OP_MATMUL, SYSTOLE_MATMUL_ROWS0_LSB},
      {SYSTOLE_OP_MATMUL, SYSTOLE_MATMUL_ROWS1_LSB},
      {SYSTOLE_OP_MATMUL, SYSTOLE_MATMUL_RED0_LSB},
      {SYSTOLE_OP_MATMUL, SYSTOLE_MATMUL_RED1_LSB},
      {SYSTOLE_OP_MATMUL, SYSTOLE_MATMUL_RED2_LSB},
      {SYSTOLE_OP_ACTIVATE, SYSTOLE_ACTIVATE_ROWS0_LSB},
      {SYSTOLE_OP_ACTIVATE, SYSTOLE_ACTIVATE_ROWS1_LSB},
      {SYSTOLE_OP_ACTIVATE, SYSTOLE_ACTIVATE_POOL_HEIGHT_LSB},
      {SYSTOLE_OP_ACTIVATE, SYSTOLE_ACTIVATE_POOL_WIDTH_LSB},
      {SYSTOLE_OP_ACTIVATE, SYSTOLE_ACTIVATE_POOL_STRIDE_H_LSB},
      {SYSTOLE_OP_ACTIVATE, SYSTOLE_ACTIVATE_POOL_STRIDE_W_LSB},
      {SYSTOLE_OP_ACTIVATE, SYSTOLE_ACTIVATE_POOL_IN_WIDTH_LSB},
      {SYSTOLE_OP_ACTIVATE, SYSTOLE_ACTIVATE_POOL_IN_HEIGHT_LSB},
  };
  *by_halves = 1;
  for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
    if (counts[k].opcode == opcode && counts[k].lsb == f->lsb) return 1;
  }
  *by_halves = opcode == SYSTOLE_OP_LOAD &&
               (IS(f, COPY_ROWS) || IS(f, COPY_FILL_BEFORE) || IS(f, COPY_FILL_AFTER));
  if (opcode != SYSTOLE_OP_ACTIVATE || SYSTOLE_GET(i, ACTIVATE_RAW)) return 0;
  if (IS(f, ACTIVATE_CLAMP_LOW)) return -128;
  if (IS(f, ACTIVATE_CLAMP_HIGH)) return 127;
  return 0;
}

static int64_t field_value(const systole_instruction *i, const systole_field *f) {
  return f->is_signed ? systole_get_signed_bits(i, f->lsb, f->bits)
                      : (int64_t)systole_get_bits(i, f->lsb, f->bits);
}

/* The tiles that a MATMUL no longer takes when its reduction loops become those of
 * `after`: the first turns of each loop go, or the last. */
static void mark_steps(uint8_t *gone, int64_t first, const systole_instruction *before,
                       const systole_instruction *after, int front) {
  const int64_t was[3] = {(int64_t)SYSTOLE_GET(before, MATMUL_RED0),
                          (int64_t)SYSTOLE_GET(before, MATMUL_RED1),
                          (int64_t)SYSTOLE_GET(before, MATMUL_RED2)};
  const int64_t is[3] = {(int64_t)SYSTOLE_GET(after, MATMUL_RED0),
                         (int64_t)SYSTOLE_GET(after, MATMUL_RED1),
                         (int64_t)SYSTOLE_GET(after, MATMUL_RED2)};
  for (int64_t s = 0; s < steps_of(before); s++) {
    int64_t turns = s;
    for (int l = 0; l < 3; l++) {
      const int64_t turn = turns % was[l];
      turns /= was[l];
      if (front ? turn < was[l] - is[l] : turn >= is[l]) gone[first + s] = 1;
    }
  }
}

/* The best with instruction n replaced, and what goes with that. */
static int try_instruction(search *x, int n, const systole_instruction *with, int front) {
  const systole_instruction *is = &x->best.at[n];
  draft d = draft_open(&x->best);
  d.at[n] = *with;
  if (opcode_of(is) == SYSTOLE_OP_MATMUL && steps_of(is) != steps_of(with)) {
    uint8_t *gone = all_tiles(x->best.at, d.count);
    mark_steps(gone, first_tile(x->best.at, n), is, with, front);
    drop_tiles(&d, gone);
    free(gone);
  }
  return try_stream(x, draft_close(&d));
}

/* Both halves of a raw pair with these counts of the STORE. */
static int try_raw(search *x, int activate, int store, const int64_t counts[3]) {
  draft d = draft_open(&x->best);
  SYSTOLE_SET(&d.at[activate], ACTIVATE_ROWS0, counts[0] * counts[1] * counts[2]);
  SYSTOLE_SET(&d.at[activate], ACTIVATE_ROWS1, 1);
  SYSTOLE_SET(&d.at[store], COPY_ROWS, counts[0]);
  SYSTOLE_SET(&d.at[store], COPY_LINES, counts[1]);
  SYSTOLE_SET(&d.at[store], COPY_BLOCKS, counts[2]);
  return try_stream(x, draft_close(&d));
}

/* Fewer rows, lines or blocks of a raw pair; n is its ACTIVATE. */
static int shrink_raw(search *x, int n) {
  int any = 0, better = 1;
  while (better) {
    const int store = raw_partner(x->best.at, (int)x->best.count, n);
    better = 0;
    if (store < 0) return any;
    const systole_instruction *to = &x->best.at[store];
    const int64_t now[3] = {(int64_t)SYSTOLE_GET(to, COPY_ROWS),
                            (int64_t)SYSTOLE_GET(to, COPY_LINES),
                            (int64_t)SYSTOLE_GET(to, COPY_BLOCKS)};
    for (int k = 0; k < 9 && !better; k++) {
      const int64_t fewer[3] = {1, now[k % 3] / 2, now[k % 3] - 1};
      int64_t counts[3] = {now[0], now[1], now[2]};
      counts[k % 3] = fewer[k / 3];
      if (counts[k % 3] < 1 || counts[k % 3] >= now[k % 3]) continue;
      better = try_raw(x, n, store, counts);
    }
    any |= better;
  }
  return any;
}

/* Whole features of an ACTIVATE, which are several fields. */
static int strip_features(search *x, int n) {
  static const char *const features[] = {"res", "pool"};
  int any = 0;
  for (size_t k = 0; k < sizeof features / sizeof features[0]; k++) {
    systole_instruction i = x->best.at[n];
    const systole_field *f = systole_opcode_fields(SYSTOLE_OP_ACTIVATE);
    int changes = 0;
    for (; f->name != NULL; f++) {
      if (strncmp(f->name, features[k], strlen(features[k])) != 0) continue;
      changes |= field_value(&i, f) != 0;
      systole_set_bits(&i, f->lsb, f->bits, 0);
    }
    if (changes) any |= try_instruction(x, n, &i, 0);
  }
  return any;
}

static int shrink_field(search *x, int n, const systole_field *f) {
  int any = 0, by_halves;
  const int64_t goal = simplest(&x->best.at[n], f, &by_halves);
  for (;;) {
    const int64_t value = field_value(&x->best.at[n], f);
    const int64_t tries[] = {goal, (value + goal) / 2, value - 1};
    int better = 0;
    if (value == goal || (by_halves && value < goal)) return any;
    for (int t = 0; t < (by_halves ? 3 : 1) && !better; t++) {
      systole_instruction i = x->best.at[n];
      if (tries[t] == value || (t > 0 && tries[t] <= goal)) continue;
      systole_set_bits(&i, f->lsb, f->bits, tries[t]);
      better = try_instruction(x, n, &i, 0);
    }
    if (!better) return any;
    any = 1;
  }
}

/* A loop of an instruction: its count, and what each turn adds to which address. */
typedef struct turn {
  int opcode, count_lsb, count_bits;
  struct {
    int lsb, bits, stride_lsb, stride_bits; /* stride_bits 0: see front_step */
  } adds[3];
} turn;

#define COUNT(field) SYSTOLE_##field##_LSB, SYSTOLE_##field##_BITS
#define BY(field, stride) \
  { COUNT(field), COUNT(stride) }
#define ONE(field) \
  { COUNT(field), 0, 0 }

static const turn turns[] = {
    {SYSTOLE_OP_LOAD, COUNT(COPY_ROWS), {ONE(COPY_UB_ROW), ONE(COPY_OFFSET)}},
    {SYSTOLE_OP_LOAD,
     COUNT(COPY_LINES),
     {BY(COPY_UB_ROW, COPY_UB_LINE_STRIDE), BY(COPY_OFFSET, COPY_MEM_LINE_STRIDE)}},
    {SYSTOLE_OP_LOAD,
     COUNT(COPY_BLOCKS),
     {BY(COPY_UB_ROW, COPY_UB_BLOCK_STRIDE), BY(COPY_OFFSET, COPY_MEM_BLOCK_STRIDE)}},
    {SYSTOLE_OP_STORE, COUNT(COPY_ROWS), {ONE(COPY_UB_ROW), ONE(COPY_OFFSET)}},
    {SYSTOLE_OP_STORE,
     COUNT(COPY_LINES),
     {BY(COPY_UB_ROW, COPY_UB_LINE_STRIDE), BY(COPY_OFFSET, COPY_MEM_LINE_STRIDE)}},
    {SYSTOLE_OP_STORE,
     COUNT(COPY_BLOCKS),
     {BY(COPY_UB_ROW, COPY_UB_BLOCK_STRIDE), BY(COPY_OFFSET, COPY_MEM_BLOCK_STRIDE)}},
    {SYSTOLE_OP_MATMUL,
     COUNT(MATMUL_ROWS0),
     {BY(MATMUL_UB_ROW, MATMUL_ROW_STRIDE0), ONE(MATMUL_ACC_ROW)}},
    {SYSTOLE_OP_MATMUL,
     COUNT(MATMUL_ROWS1),
     {BY(MATMUL_UB_ROW, MATMUL_ROW_STRIDE1), BY(MATMUL_ACC_ROW, MATMUL_ROWS0)}},
    {SYSTOLE_OP_MATMUL, COUNT(MATMUL_RED0), {BY(MATMUL_UB_ROW, MATMUL_RED_STRIDE0)}},
    {SYSTOLE_OP_MATMUL, COUNT(MATMUL_RED1), {BY(MATMUL_UB_ROW, MATMUL_RED_STRIDE1)}},
    {SYSTOLE_OP_MATMUL, COUNT(MATMUL_RED2), {BY(MATMUL_UB_ROW, MATMUL_RED_STRIDE2)}},
    {SYSTOLE_OP_ACTIVATE,
     COUNT(ACTIVATE_ROWS0),
     {BY(ACTIVATE_UB_ROW, ACTIVATE_UB_STRIDE0), ONE(ACTIVATE_ACC_ROW),
      BY(ACTIVATE_RES_ROW, ACTIVATE_RES_STRIDE0)}},
    {SYSTOLE_OP_ACTIVATE,
     COUNT(ACTIVATE_ROWS1),
     {BY(ACTIVATE_UB_ROW, ACTIVATE_UB_STRIDE1), BY(ACTIVATE_ACC_ROW, ACTIVATE_ROWS0),
      BY(ACTIVATE_RES_ROW, ACTIVATE_RES_STRIDE1)}},
};

/* What one turn adds to the address number k of a loop: rows of another loop, a stride, a
 * row of device memory, or a row. */
static int64_t front_step(const stream *s, const systole_instruction *i, const turn *t,
                          int k) {
  const int lsb = t->adds[k].stride_lsb, bits = t->adds[k].stride_bits;
  if (bits == 16) return (int64_t)systole_get_bits(i, lsb, bits);
  if (bits > 0) return systole_get_signed_bits(i, lsb, bits);
  return t->adds[k].bits == SYSTOLE_COPY_OFFSET_BITS ? s->geometry.dim : 1;
}

/* Leaves the first turns of a loop out: the ends are what shrink_field leaves out. */
static int drop_front(search *x, int n, const turn *t) {
  int any = 0;
  for (;;) {
    const systole_instruction was = x->best.at[n];
    const int64_t count = (int64_t)systole_get_bits(&was, t->count_lsb, t->count_bits);
    const int64_t tries[] = {count - 1, count / 2, 1};
    int better = 0;
    for (int r = 0; r < 3 && !better && count > 1; r++) {
      systole_instruction i = was;
      int possible = tries[r] > 0 && tries[r] < count;
      for (int k = 0; k < 3 && t->adds[k].bits > 0; k++) {
        const int64_t address =
            (int64_t)systole_get_bits(&was, t->adds[k].lsb, t->adds[k].bits) +
            tries[r] * front_step(&x->best, &was, t, k);
        if (address < 0 || address >> t->adds[k].bits) {
          possible = 0;
        } else {
          systole_set_bits(&i, t->adds[k].lsb, t->adds[k].bits, address);
        }
      }
      systole_set_bits(&i, t->count_lsb, t->count_bits, count - tries[r]);
      better = possible && try_instruction(x, n, &i, 1);
    }
    if (!better) return any;
    any = 1;
    if (n >= (int)x->best.count || opcode_of(&x->best.at[n]) != t->opcode) return any;
  }
}

static int simplify(search *x) {
  int any = 0;
  /* From the end: what makes rows can be less when what takes them is less. A WEIGHTS may
   * go with a change, so the numbers are looked at anew. */
  for (int n = (int)x->best.count - 1; n >= 0; n--) {
    if (n >= (int)x->best.count) continue;
    const systole_instruction *i = &x->best.at[n];
    const int opcode = opcode_of(i);
    if (brings_tiles(i) && SYSTOLE_GET(i, WEIGHTS_OFFSET) == 0) continue;
    if (opcode == SYSTOLE_OP_ACTIVATE && is_raw(i)) any |= shrink_raw(x, n);
    if (opcode == SYSTOLE_OP_ACTIVATE && !is_raw(i)) any |= strip_features(x, n);
    for (size_t t = 0; t < sizeof turns / sizeof turns[0]; t++) {
      if (n >= (int)x->best.count || opcode_of(&x->best.at[n]) != opcode) break;
      if (turns[t].opcode == opcode) any |= drop_front(x, n, &turns[t]);
    }
    const systole_field *f = systole_opcode_fields(opcode);
    for (; f->name != NULL && n < (int)x->best.count; f++) {
      if (opcode_of(&x->best.at[n]) != opcode) break;
      if (opcode == SYSTOLE_OP_WEIGHTS && IS(f, WEIGHTS_TILES)) continue;
      any |= shrink_field(x, n, f);
    }
  }
  return any;
}

/* ---- data ---------------------------------------------------------------------------
 */

static void clear(search *x, int weights, uint64_t first, uint64_t bytes) {
  const uint8_t *data = weights ? x->best.weights : x->best.activations;
  uint64_t i = 0;
  while (i < bytes && data[first + i] == 0) i++;
  if (i == bytes) return;
  stream candidate = copy_stream(&x->best);
  memset((weights ? candidate.weights : candidate.activations) + first, 0, (size_t)bytes);
  if (try_stream(x, candidate) || bytes <= SMALLEST_PIECE) return;
  const uint64_t half =
      (bytes / 2 + SMALLEST_PIECE - 1) / SMALLEST_PIECE * SMALLEST_PIECE;
  clear(x, weights, first, half);
  clear(x, weights, first + half, bytes - half);
}

stream shrink(const stream *s, shrink_predicate *fails, void *user,
              shrink_report *report) {
  search x = {fails, user, copy_stream(s), {0}};
  x.report.instructions_before = s->count;
  int better = 1;
  while (better && !x.report.exhausted) {
    better = drop_instructions(&x);
    better |= merge_weights(&x);
    better |= drop_tokens(&x);
    better |= simplify(&x);
  }
  clear(&x, 0, 0, x.best.activation_bytes);
  clear(&x, 1, 0, x.best.weight_bytes);
  x.report.instructions_after = x.best.count;
  if (report) *report = x.report;
  return x.best;
}
