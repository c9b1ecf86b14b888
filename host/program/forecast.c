/* Each unit is a small state machine that knows when its next event can happen, or that
 * it waits for another unit. The earliest event of all happens next, so that what units
 * share (the ports, the buffer, the queues) is used in the order of time. A unit that
 * waits has the time kNever.
 *
 * A time is the number of a clock cycle; cycle 0 accepts the start. "Usable at t" means
 * that a unit may act on it in cycle t. What happens in cycle t shows in t + 1, so events
 * of the same cycle may happen in any order, but those that forecast_move.c orders.
 *
 * Laws are those of the RTL's registers, not fits: fetch, arbiter and weight unit are
 * followed burst by burst, the array tile by tile, and what stands at gmem0 row by row
 * where rows of several units meet (forecast_move.c). */
#include "program/forecast.h"

#include <assert.h>
#include <string.h>

#include "program/forecast_skip.h"
#include "program/forecast_state.h"
#include "support/error.h"
#include "support/memory.h"

/* Cycles of the units' pipelines: hw/README.md, "Timing". */
enum {
  kFetchStart = 2,    /* start accepted -> first request for the program */
  kReadSlice = 1,     /* register slice behind R */
  kFetchToHead = 2,   /* last beat of an instruction -> at the dispatcher */
  kPushToHead = 1,    /* into a queue -> at its head */
  kTileHere = 1,      /* last row of a tile arrived -> may be shifted */
  kDoneToken = 1,     /* done -> token usable */
  kWeightsDone = 1,   /* last beat arrived -> done */
  kMatmulLanding = 4, /* last row issued -> done, beside 2 Dim */
  kFlightFrom = 2,    /* row issued -> the activation unit sees it on its way ... */
  kFlightTo = 4,      /* ... and until when, beside 2 Dim */
  kEnd = 4            /* last unit done -> the run is over */
};

enum { kBurstBytes = 4096, kBurstBeats = 256 }; /* at most */

static void busy_until(forecaster *f, int64_t at) { f->idle_at = max64(f->idle_at, at); }

void forecast_give(forecaster *f, int unit, unsigned mask, int64_t done) {
  for (int to = 0; to < SYSTOLE_UNITS; to++) {
    if ((mask >> to & 1u) == 0) continue;
    tokens *t = &f->tokens[unit][to];
    t->at[t->given++ % (1u << SYSTOLE_TOKEN_BITS)] = done + kDoneToken;
    if (to == SYSTOLE_UNIT_ACTIVATE) {
      f->out_next = min64(f->out_next, max64(f->out_at, done + kDoneToken));
    }
  }
  busy_until(f, done);
}

const systole_instruction *forecast_head(const forecaster *f, int unit) {
  const queue *q = &f->queues[unit];
  return q->count == 0 ? NULL : &f->instructions[q->at[q->head]];
}

/* When the head's tokens are all there. */
static int64_t tokens_at(const forecaster *f, int unit) {
  unsigned wait = (unsigned)SYSTOLE_GET(forecast_head(f, unit), WAIT);
  int64_t at = 0;
  for (int from = 0; wait != 0; from++, wait >>= 1) {
    if ((wait & 1u) == 0) continue;
    const tokens *t = &f->tokens[from][unit];
    if (t->taken == t->given) return kNever;
    at = max64(at, t->at[t->taken % (1u << SYSTOLE_TOKEN_BITS)]);
  }
  return at;
}

int64_t forecast_accept_at(const forecaster *f, int unit) {
  const queue *q = &f->queues[unit];
  if (q->count == 0) return kNever;
  return max64(max64(q->head_at[q->head], q->free), tokens_at(f, unit));
}

const systole_instruction *forecast_accept(forecaster *f, int unit, int64_t now) {
  queue *q = &f->queues[unit];
  const systole_instruction *taken_one = forecast_head(f, unit);
  unsigned wait = (unsigned)SYSTOLE_GET(taken_one, WAIT);
  for (int from = 0; from < SYSTOLE_UNITS; from++) {
    if (wait >> from & 1u) f->tokens[from][unit].taken++;
  }
  q->head = (q->head + 1) % SYSTOLE_QUEUE_DEPTH;
  q->count--;
  q->freed = now + 1;
  if (q->count > 0) q->head_at[q->head] = max64(q->head_at[q->head], now + 1);
  q->free = now + 1;
  return taken_one;
}

int64_t forecast_answer(forecaster *f, int unit, int64_t cycle, int64_t latency,
                        int64_t offset, int64_t bytes) {
  if (f->open == NULL) return cycle + latency;
  const systole_forecast_bus *bus = f->open->bus;
  const systole_forecast_burst burst = {unit, f->open->now, cycle, offset, bytes};
  const int64_t at = bus->send(bus->user, &burst);
  if (at == SYSTOLE_FORECAST_ABANDON) f->open->abandoned = 1;
  return at < 0 ? kNever : at;
}

/* ---- the address side of an AXI master -----------------------------------------------
 */

int64_t forecast_issue_at(const asker *a, unsigned limit) {
  if (a->issued < limit) return a->at;
  const unsigned ended = a->issued - limit; /* of the burst that has to end */
  if ((int)(a->retired - ended) <= 0) return kNever;
  return max64(a->at, a->retired_at[ended % kRing] + 1);
}

int forecast_issue(const forecaster *f, asker *a, int64_t now, unsigned limit,
                   int64_t from, int64_t beats, int channel_free) {
  const int issues =
      a->now_beats > 0 && channel_free && forecast_issue_at(a, limit) <= now;
  if (issues) {
    const int64_t most = min64(kBurstBeats, kBurstBytes / f->axi);
    a->channel_from = a->now_from;
    a->channel_beats = min64(a->now_beats, most - a->now_from / f->axi % most);
    a->now_from += a->channel_beats * f->axi;
    a->now_beats -= a->channel_beats;
    a->issued++;
  }
  if (a->now_beats > 0) {
    if (beats > 0) {
      a->next_from = from;
      a->next_beats = beats;
    }
  } else if (a->next_beats > 0) {
    a->now_from = a->next_from;
    a->now_beats = a->next_beats;
    a->next_beats = 0;
  } else {
    a->now_from = from;
    a->now_beats = beats;
  }
  return issues;
}

/* ---- what comes on gmem1 -------------------------------------------------------------
 */

/* When the client takes the beats of a burst: by the law of the port, or one by one. */
typedef struct arrival {
  int64_t base, step, unit;
  const int64_t *at; /* NULL: by the law */
  int64_t each[kBurstBeats];
} arrival;

static int64_t taken_at(const arrival *a, int64_t beat) {
  if (a->at != NULL) return a->at[beat];
  return (a->base + beat * a->step + a->unit - 1) / a->unit + kReadSlice;
}

/* `beats` beats that memory may offer from cycle `from` on; the client keeps each for
 * `hold` cycles. Two of them wait in the slice at most. */
static void receive(arrival *out, forecaster *f, int64_t from, int64_t beats,
                    int64_t hold) {
  channel *c = &f->gmem1_read;
  int64_t first = max64(max64(from, c->free), (c->due + c->unit - 1) / c->unit);
  c->beats += beats;
  if (f->axi <= f->dim) { /* nobody keeps one */
    out->base = max64(c->due, first * c->unit - (c->unit - 1));
    out->step = c->step;
    out->unit = c->unit;
    out->at = NULL;
    c->due = out->base + beats * c->step;
    c->free = taken_at(out, beats - 1) - kReadSlice + 1;
    return;
  }
  out->at = out->each;
  for (int64_t i = 0; i < beats; i++) {
    int64_t beat = max64(max64(from, c->free), (c->due + c->unit - 1) / c->unit);
    beat = max64(beat, f->taken_at[1] + 1);
    c->due = max64(c->due, beat * c->unit - (c->unit - 1)) + c->step;
    c->free = beat + 1;
    out->each[i] = max64(beat + kReadSlice, f->taken_at[0] + 1) + hold - 1;
    f->taken_at[1] = f->taken_at[0];
    f->taken_at[0] = out->each[i];
  }
}

/* The oldest burst of the fetch that was not answered: its first beat may come at `from`.
 */
static void program_comes(forecaster *f, int64_t from) {
  asker *a = &f->fetch;
  const unsigned burst = a->accepted++ % kRing;
  const int64_t beats = a->beats[burst], whole = SYSTOLE_INSTRUCTION_BYTES / f->axi;
  arrival arrives;
  receive(&arrives, f, from, beats, 1);
  for (int64_t i = whole - f->here_beats; i <= beats; i += whole) {
    f->here_at[f->here++ % kRing] = taken_at(&arrives, i - 1) + kFetchToHead;
  }
  f->here_beats = (f->here_beats + beats) % whole;
  a->retired_at[burst] = taken_at(&arrives, beats - 1);
  a->retired = a->accepted;
}

/* Tiles that are there leave the FIFO for the shadow registers, one when the one before
 * it is used; when is known as soon as both are. */
static void shift_tiles(forecaster *f) {
  while (f->tiles_shifted < f->tiles_here && f->tiles_used >= f->tiles_shifted) {
    const int64_t tile = f->tiles_shifted++;
    int64_t at = f->tile_here[tile % kTileRing];
    if (tile > 0) {
      at = max64(at, f->tile_shift[(tile - 1) % kTileRing] + f->dim);
      at = max64(at, f->used_at);
    }
    f->tile_shift[tile % kTileRing] = at;
  }
}

/* The same of the weight unit. */
static void weights_come(forecaster *f, int64_t from) {
  asker *a = &f->weights;
  const unsigned burst = a->accepted++ % kRing;
  const int64_t beats = a->beats[burst];
  weight_piece *p = &f->pieces[f->here_pieces % kRing];
  arrival arrives;
  receive(&arrives, f, from, beats, p->rows > 0 ? max64(1, f->axi / f->dim) : 1);
  /* Tiles whose last row is in this burst. */
  while (p->rows > 0) {
    const int64_t end =
        (f->tiles_here + 1) * f->dim - f->rows_here; /* row of the piece */
    if (end > p->rows) break;
    const int64_t beat = systole_ceil_div(end * p->beats, p->rows) - 1 - p->arrived;
    if (beat >= beats) break;
    f->tile_here[f->tiles_here++ % kTileRing] = taken_at(&arrives, beat) + kTileHere;
  }
  shift_tiles(f);
  const int64_t last = taken_at(&arrives, beats - 1);
  a->retired_at[burst] = last;
  a->retired = a->accepted;
  p->arrived += beats;
  if (p->arrived < p->beats) return;
  p->end = last;
  f->rows_here += p->rows;
  f->here_pieces++;
  if (p->last) forecast_give(f, SYSTOLE_UNIT_WEIGHT, p->give, last + kWeightsDone);
}

/* ---- fetch and weight unit ask, the arbiter grants -----------------------------------
 */

static uint32_t fetch_piece(const forecaster *f) {
  return f->count - f->asked < kFetchPiece ? f->count - f->asked : kFetchPiece;
}

/* When the fetch can ask for the next instructions. */
static int64_t fetch_asks_at(const forecaster *f) {
  if (f->asked == f->count || f->fetch.next_beats > 0) return kNever;
  const uint32_t piece = fetch_piece(f);
  if (f->asked + piece <= kFetchAhead) return f->gmem1_at;
  const uint32_t needed = f->asked + piece - kFetchAhead; /* that have left */
  if (f->popped < needed) return kNever;
  return max64(f->gmem1_at, f->popped_at[(needed - 1) % kRing] + 1);
}

static int64_t fifo_rows(const forecaster *f) {
  return (int64_t)f->geometry->weight_tiles * f->dim;
}

/* Rows of the weight unit's next request; 0: column parameters. */
static int64_t weight_rows(const forecaster *f) {
  if (f->params) return 0;
  int64_t rows = min64(fifo_rows(f) / 4, kBurstBeats * f->axi / f->dim);
  rows = max64(rows, max64(1, f->axi / f->dim)); /* a beat, in the smallest FIFO */
  return min64(rows, f->rows_left);
}

/* When the weight unit can ask, or accept. */
static int64_t weights_act_at(const forecaster *f) {
  if (!f->asking_weights) {
    return max64(f->gmem1_at, forecast_accept_at(f, SYSTOLE_UNIT_WEIGHT));
  }
  int64_t at = f->gmem1_at;
  if (f->weights.next_beats > 0) return kNever;
  if (f->asked_pieces >= kWeightPieces) {
    const unsigned ended = f->asked_pieces - kWeightPieces;
    if ((int)(f->here_pieces - ended) <= 0) return kNever;
    at = max64(at, f->pieces[ended % kRing].end + 1);
  }
  /* Rows that must have left the FIFO so that this piece has room. */
  const int64_t leaves = f->rows_asked + weight_rows(f) - fifo_rows(f);
  if (f->params || leaves <= 0) return at;
  const int64_t tile = (leaves - 1) / f->dim;
  if (tile >= f->tiles_shifted) return kNever;
  return max64(at, f->tile_shift[tile % kTileRing] + (leaves - 1) % f->dim + 1);
}

static int64_t next_gmem1(const forecaster *f) {
  if (f->fetch.on_channel || f->weights.on_channel) return f->gmem1_at;
  int64_t at = min64(fetch_asks_at(f), weights_act_at(f));
  if (f->fetch.now_beats > 0) at = min64(at, forecast_issue_at(&f->fetch, kFetchBursts));
  if (f->weights.now_beats > 0) {
    at = min64(at, forecast_issue_at(&f->weights, kWeightBursts));
  }
  return at;
}

static void accept_weights(forecaster *f, int64_t now) {
  const systole_instruction *i = forecast_accept(f, SYSTOLE_UNIT_WEIGHT, now);
  f->asking_weights = 1;
  f->params = (int)SYSTOLE_GET(i, WEIGHTS_PARAMS);
  f->weights_give = (unsigned)SYSTOLE_GET(i, GIVE);
  f->weights_from = (int64_t)SYSTOLE_GET(i, WEIGHTS_OFFSET);
  f->rows_left = f->params ? 0 : (int64_t)SYSTOLE_GET(i, WEIGHTS_TILES) * f->dim;
}

/* Beats of the weight unit's request. */
static int64_t ask_weights(forecaster *f) {
  weight_piece *p = &f->pieces[f->asked_pieces++ % kRing];
  *p = (weight_piece){.rows = weight_rows(f), .end = kNever, .give = f->weights_give};
  if (f->params) {
    p->beats = SYSTOLE_PARAM_BYTES * f->dim / f->axi;
  } else {
    /* Several ports bring one beat each in a cycle. */
    p->beats =
        systole_ceil_div(p->rows * f->dim / f->axi, max64(1, f->geometry->weight_ports));
  }
  f->rows_asked += p->rows;
  f->rows_left -= p->rows;
  f->weights_from += p->rows * f->dim;
  p->last = f->rows_left == 0;
  if (p->last) f->asking_weights = 0;
  return p->beats;
}

/* The arbiter hands a client's burst to memory, which has it in the next cycle. */
static void grant(forecaster *f, int weights, int64_t now) {
  asker *a = weights ? &f->weights : &f->fetch;
  const int64_t from =
      forecast_answer(f, weights ? SYSTOLE_UNIT_WEIGHT : SYSTOLE_UNIT_FETCH, now + 1,
                      f->gmem1_read.latency, a->channel_from, a->channel_beats * f->axi);
  f->weights_were_last = weights;
  a->on_channel = 0;
  if (f->open != NULL && (from >= kNever || f->open->sent != f->open->answered)) {
    f->open->owners[f->open->sent++ % kRing] = weights;
  } else if (weights) {
    weights_come(f, from);
  } else {
    program_comes(f, from);
  }
}

/* One cycle of all that. */
static void do_gmem1(forecaster *f, int64_t now) {
  const int64_t fetch_from = (int64_t)f->asked * SYSTOLE_INSTRUCTION_BYTES;
  const int64_t weights_from = f->weights_from;
  int64_t fetch_beats = 0, weight_beats = 0;
  if (fetch_asks_at(f) <= now) {
    const uint32_t piece = fetch_piece(f);
    fetch_beats = piece * (SYSTOLE_INSTRUCTION_BYTES / f->axi);
    f->asked += piece;
  }
  if (weights_act_at(f) <= now) {
    if (f->asking_weights) {
      weight_beats = ask_weights(f);
    } else {
      accept_weights(f, now);
    }
  }
  const int asked = f->fetch.on_channel, weights_asked = f->weights.on_channel;
  if (asked || weights_asked) {
    grant(f, weights_asked && (!asked || !f->weights_were_last), now);
  }
  /* A request's first burst, or a burst behind one that was granted. */
  if (forecast_issue(f, &f->fetch, now, kFetchBursts, fetch_from, fetch_beats,
                     !f->fetch.on_channel)) {
    f->fetch.on_channel = 1;
    f->fetch.beats[(f->fetch.issued - 1) % kRing] = f->fetch.channel_beats;
  }
  if (forecast_issue(f, &f->weights, now, kWeightBursts, weights_from, weight_beats,
                     !f->weights.on_channel)) {
    f->weights.on_channel = 1;
    f->weights.beats[(f->weights.issued - 1) % kRing] = f->weights.channel_beats;
  }
  f->gmem1_at = f->fetch.at = f->weights.at = now + 1;
}

/* ---- dispatch ------------------------------------------------------------------------
 */

/* An instruction leaves the fetch queue, or the dispatcher. */
static int64_t next_dispatch(const forecaster *f) {
  if (f->ended) return kNever;
  if (!f->holds) {
    return f->popped < f->here ? max64(f->here_at[f->popped % kRing], f->pushed_at)
                               : kNever;
  }
  int unit =
      systole_opcode_unit((int)SYSTOLE_GET(&f->instructions[f->popped - 1], OPCODE));
  if (unit >= SYSTOLE_UNITS || unit < 0) return f->hold_at;
  const queue *q = &f->queues[unit];
  if (q->count == SYSTOLE_QUEUE_DEPTH) return kNever;
  /* What has left made room a cycle later, which only matters where there was none. */
  return q->count < SYSTOLE_QUEUE_DEPTH - 1 ? f->hold_at : max64(f->hold_at, q->freed);
}

static void do_dispatch(forecaster *f, int64_t now) {
  if (!f->holds) {
    f->popped_at[f->popped++ % kRing] = now;
    f->holds = 1;
    f->hold_at = now + 1;
    return;
  }
  uint32_t index = f->popped - 1;
  int unit = systole_opcode_unit((int)SYSTOLE_GET(&f->instructions[index], OPCODE));
  f->holds = 0;
  f->pushed_at = now;
  busy_until(f, now);
  if (unit >= SYSTOLE_UNITS || unit < 0) {
    f->ended = 1;
    return;
  }
  queue *q = &f->queues[unit];
  int slot = (q->head + q->count++) % SYSTOLE_QUEUE_DEPTH;
  q->at[slot] = index;
  q->head_at[slot] = now + kPushToHead;
  if (unit == SYSTOLE_UNIT_ACTIVATE) {
    f->out_next = min64(f->out_next, max64(f->out_at, now + kPushToHead));
  }
}

/* ---- the array -----------------------------------------------------------------------
 */

/* Cycles accounted .. until - 1 belong to a category of the ledger. */
static void account(forecaster *f, int64_t until, uint64_t *category) {
  if (until <= f->accounted) return;
  if (f->first_row < 0) category = &f->ledger.start;
  *category += (uint64_t)(until - f->accounted);
  f->accounted = until;
}

/* Cycles before `until` in which the next tile of weights was missing, or on its way into
 * the shadow registers. */
static void account_tile(forecaster *f, int64_t until) {
  const int64_t tile = f->tiles_used;
  account(f, tile < f->tiles_here ? min64(f->tile_here[tile % kTileRing], until) : until,
          &f->ledger.weight_stall);
  account(f,
          tile < f->tiles_shifted ? min64(f->tile_shift[tile % kTileRing] + f->dim, until)
                                  : until,
          &f->ledger.weight_shift);
}

static int64_t next_array(const forecaster *f) {
  if (!f->working) return forecast_accept_at(f, SYSTOLE_UNIT_ARRAY);
  if (f->tiles_used == f->tiles_shifted) return kNever;
  int64_t at = max64(f->issue_from, f->tile_shift[f->tiles_used % kTileRing] + f->dim);
  if (f->matmuls >= kMatmulPending) {
    at = max64(at, f->pending[f->matmuls % kMatmulPending]);
  }
  return at;
}

/* What an array without an instruction waited for, up to and with cycle `now`. */
static void account_head(forecaster *f, int64_t now) {
  const queue *q = &f->queues[SYSTOLE_UNIT_ARRAY];
  const tokens *halves = &f->tokens[SYSTOLE_UNIT_ACTIVATE][SYSTOLE_UNIT_ARRAY];
  const unsigned wait = (unsigned)SYSTOLE_GET(forecast_head(f, SYSTOLE_UNIT_ARRAY), WAIT);
  if (wait >> SYSTOLE_UNIT_ACTIVATE & 1u) {
    account(f, q->head_at[q->head], &f->ledger.other);
    account(f, halves->at[halves->taken % (1u << SYSTOLE_TOKEN_BITS)],
            &f->ledger.output_stall);
  }
  account(f, q->head_at[q->head], &f->ledger.other);
  account(f, tokens_at(f, SYSTOLE_UNIT_ARRAY), &f->ledger.input_stall);
  account_tile(f, now + 1);
  account(f, now + 1, &f->ledger.other);
}

/* The instruction adds to the row that the MATMUL before it ends with. */
static int adds_to_last(const forecaster *f, const systole_instruction *i) {
  const systole_instruction *before = &f->instructions[f->matmul_at];
  const uint64_t rows =
      SYSTOLE_GET(before, MATMUL_ROWS0) * SYSTOLE_GET(before, MATMUL_ROWS1);
  return SYSTOLE_GET(i, MATMUL_ACCUMULATE) &&
         SYSTOLE_GET(i, MATMUL_ACC_ROW) == SYSTOLE_GET(before, MATMUL_ACC_ROW) + rows - 1;
}

static void accept_matmul(forecaster *f, int64_t now) {
  if (now >= f->accounted) account_head(f, now);
  const queue *q = &f->queues[SYSTOLE_UNIT_ARRAY];
  const uint32_t index = q->at[q->head];
  const systole_instruction *i = forecast_accept(f, SYSTOLE_UNIT_ARRAY, now);
  f->working = 1;
  f->rows = (int64_t)(SYSTOLE_GET(i, MATMUL_ROWS0) * SYSTOLE_GET(i, MATMUL_ROWS1));
  f->steps = (int64_t)(SYSTOLE_GET(i, MATMUL_RED0) * SYSTOLE_GET(i, MATMUL_RED1) *
                       SYSTOLE_GET(i, MATMUL_RED2));
  f->half = (int64_t)SYSTOLE_GET(i, MATMUL_ACC_ROW) >= (int64_t)f->geometry->acc_rows / 2;
  f->matmul_give = (unsigned)SYSTOLE_GET(i, GIVE);
  f->issue_from = now + 1;
  f->again_at = -1;
  if (now == f->last_issue && adds_to_last(f, i)) { /* it follows without a gap */
    f->again_at = now + 1;
    f->issue_from = now + 2;
  }
  f->matmul_at = index;
}

/* Rows to this half are issued from `first` to `last`. */
static void take_off(forecaster *f, int half, int64_t first, int64_t last) {
  if (first + kFlightFrom > f->flight_to[half] + 1) {
    f->flight_before[half] = f->flight_to[half];
    f->flight_from[half] = first + kFlightFrom;
  }
  f->flight_to[half] = last + 2 * f->dim + kFlightTo;
}

int forecast_in_flight(const forecaster *f, int half, int64_t t) {
  return (t >= f->flight_from[half] && t <= f->flight_to[half]) ||
         t <= f->flight_before[half];
}

/* The first row of a tile in cycle `now`, and all that follow it. */
static void use_tile(forecaster *f, int64_t now) {
  account_tile(f, now);
  if (f->again_at == f->accounted) {
    account(f, min64(f->again_at + 1, now), &f->ledger.output_stall);
  }
  account(f, now, &f->ledger.other);
  f->tiles_used++;
  f->used_at = now;
  if (f->first_row < 0) f->first_row = now;
  const int64_t end = now + f->rows;
  account(f, end, &f->ledger.active);
  take_off(f, f->half, now, end - 1);
  /* A row that adds to the row before waits a cycle for its sum. */
  const int again = f->rows == 1 && f->steps > 1;
  f->again_at = again ? end : -1;
  f->issue_from = end + again;
  shift_tiles(f);
  if (--f->steps > 0) return;
  f->working = 0;
  f->last_issue = end - 1;
  f->queues[SYSTOLE_UNIT_ARRAY].free = end - 1; /* the next one follows without a gap */
  const int64_t done = end - 1 + 2 * f->dim + kMatmulLanding;
  f->pending[f->matmuls++ % kMatmulPending] = done;
  forecast_give(f, SYSTOLE_UNIT_ARRAY, f->matmul_give, done);
}

/* Accepts, or uses a tile and those that follow it without a gap. */
static void do_array(forecaster *f, int64_t now) {
  if (!f->working) {
    accept_matmul(f, now);
    return;
  }
  int64_t at = now;
  do {
    use_tile(f, at);
    at = f->working ? next_array(f) : kNever;
  } while (at == f->issue_from && at <= f->used_at + f->rows);
}

/* ---- the run -------------------------------------------------------------------------
 */

enum {
  kDispatch,
  kGmem1,
  kArray,
  kLoadAsk,
  kStoreAsk,
  kMove, /* the last: others may call it in the same cycle */
  kProcesses
};

static int64_t next_event(const forecaster *f, int process) {
  switch (process) {
    case kDispatch:
      return next_dispatch(f);
    case kGmem1:
      return next_gmem1(f);
    case kArray:
      return next_array(f);
    case kLoadAsk:
      return forecast_next_ask(f, &f->load.jobs, SYSTOLE_UNIT_LOAD, kLoadBursts);
    case kStoreAsk:
      return forecast_next_ask(f, &f->store.jobs, SYSTOLE_UNIT_STORE, kStoreBursts);
    default:
      return forecast_next_move(f);
  }
}

static void do_event(forecaster *f, int process, int64_t now, int64_t horizon) {
  switch (process) {
    case kDispatch:
      do_dispatch(f, now);
      break;
    case kGmem1:
      do_gmem1(f, now);
      break;
    case kArray:
      do_array(f, now);
      break;
    case kLoadAsk:
      forecast_do_ask(f, &f->load.jobs, SYSTOLE_UNIT_LOAD, kLoadBursts, now);
      break;
    case kStoreAsk:
      forecast_do_ask(f, &f->store.jobs, SYSTOLE_UNIT_STORE, kStoreBursts, now);
      break;
    default:
      forecast_do_move(f, now, horizon);
  }
}

/* An answer that was missing. */
static void take_answer(forecaster *f, const systole_forecast_answer *answer) {
  unanswered *o = f->open;
  if (answer->unit == SYSTOLE_UNIT_LOAD) {
    assert(f->load.jobs.ask.accepted != f->load.jobs.ask.issued);
    forecast_load_answered(f, answer->cycle);
  } else if (answer->unit == SYSTOLE_UNIT_STORE) {
    assert(f->store.jobs.ask.retired != f->store.leaving);
    forecast_store_answered(f, answer->cycle);
  } else {
    assert(o->answered != o->sent);
    if (o->owners[o->answered++ % kRing]) {
      weights_come(f, answer->cycle);
    } else {
      program_comes(f, answer->cycle);
    }
  }
}

/* The next event is in cycle `now`; while answers are missing, one may come before, and
 * then another event may be the next: returns 1. */
static int is_answered(forecaster *f, int64_t now) {
  unanswered *o = f->open;
  systole_forecast_answer answer;
  if (o->sent == o->answered && f->load.jobs.ask.accepted == f->load.jobs.ask.issued &&
      f->store.jobs.ask.retired == f->store.leaving) {
    return 0;
  }
  int came = o->bus->pass(o->bus->user, now < kNever ? now : INT64_MAX, &answer);
  if (came == SYSTOLE_FORECAST_ABANDON) o->abandoned = 1;
  if (came != 1) return 0;
  take_answer(f, &answer);
  return 1;
}

static int all_done(const forecaster *f) {
  if (!f->ended || f->working || f->asking_weights || f->here_pieces != f->asked_pieces ||
      !forecast_moved_all(f)) {
    return 0;
  }
  for (int unit = 0; unit < SYSTOLE_UNITS; unit++) {
    if (f->queues[unit].count > 0) return 0;
  }
  return 1;
}

static void conclude(systole_forecast *out, forecaster *f) {
  int64_t cycles = f->idle_at + kEnd;
  if (f->first_row < 0) {
    account(f, cycles, &f->ledger.start);
  } else {
    account(f, cycles, &f->ledger.drain);
  }
  out->cycles = (uint64_t)cycles;
  out->ledger = f->ledger;
  out->gmem0_read_bytes = (uint64_t)(f->gmem0_read.beats * f->axi);
  out->gmem0_write_bytes = (uint64_t)(f->gmem0_write.beats * f->axi);
  out->gmem1_read_bytes = (uint64_t)(f->gmem1_read.beats * f->axi);
  out->instructions = f->count - 1;
  out->events = f->events;
}

static void begin(forecaster *f, const systole_instruction *instructions, uint32_t count,
                  const systole_geometry *geometry, const systole_memory_timing *memory) {
  f->instructions = instructions;
  f->count = count;
  f->geometry = geometry;
  f->dim = geometry->dim;
  f->axi = geometry->axi_bytes;
  f->gmem0_read = (channel){.latency = memory->latency,
                            .unit = memory->rate_beats,
                            .step = memory->rate_cycles};
  f->gmem0_write = f->gmem0_read;
  const systole_memory_timing gmem1 = systole_memory_timing_gmem1(memory);
  f->gmem1_read = (channel){
      .latency = gmem1.latency, .unit = gmem1.rate_beats, .step = gmem1.rate_cycles};
  f->gmem1_at = kFetchStart;
  f->fetch.at = f->weights.at = kFetchStart;
  f->weights_were_last = 1;
  f->first_row = f->last_issue = f->again_at = -1;
  f->port_taken = -1;
  f->activate.slots = geometry->dim >= 128 ? kSlots : kSlots / 2;
  for (int half = 0; half < 2; half++) f->flight_to[half] = f->flight_before[half] = -1;
  f->out_next = f->load_next = kNever;
}

/* Lets the next event happen; 0 when there is none. *skip, when not NULL, passes over
 * what repeats. */
static int step(forecaster *f, systole_skip *skip) {
  int64_t now = kNever, after = kNever; /* the next event, and the one after it */
  int process = kProcesses;
  for (int p = 0; p < kProcesses; p++) {
    const int64_t at = next_event(f, p);
    if (at < now) {
      after = now;
      now = at;
      process = p;
    } else if (at < after) {
      after = at;
    }
  }
  if (f->open != NULL) {
    if (!f->open->abandoned && is_answered(f, now)) return 1;
    if (f->open->abandoned) return 0;
    if (now < kNever) f->open->now = max64(f->open->now, now);
    after = now;
  }
  if (process == kProcesses) return 0;
  if (skip != NULL && process == kArray && !f->working &&
      systole_skip_try(skip, f, now)) {
    return 1;
  }
  do_event(f, process, now, after);
  f->events++;
  return 1;
}

/* `open` and `skip` may be NULL; one of them is. */
static systole_status forecast(systole_forecast *out,
                               const systole_instruction *instructions, uint32_t count,
                               const systole_geometry *geometry,
                               const systole_memory_timing *memory, unanswered *open,
                               systole_skip *skip) {
  memset(out, 0, sizeof *out);
  void *state;
  systole_status status =
      systole_allocate_zeroed(&state, 1, sizeof(forecaster), "a forecast");
  if (status != SYSTOLE_OK) return status;
  forecaster *f = state;
  begin(f, instructions, count, geometry, memory);
  f->open = open;
  while (step(f, skip)) continue;
  if (open != NULL && open->abandoned) {
    f->idle_at = open->now - kEnd;
    conclude(out, f);
    status = systole_fail(SYSTOLE_ERR_DEVICE, "the run was abandoned");
  } else if (all_done(f)) {
    conclude(out, f);
  } else {
    status = systole_fail(SYSTOLE_ERR_ARGUMENT,
                          "the stream of %u instructions does not run to its end", count);
  }
  systole_release(state);
  return status;
}

systole_status systole_forecast_make(systole_forecast *out,
                                     const systole_instruction *instructions,
                                     uint32_t count, const systole_geometry *geometry,
                                     const systole_memory_timing *memory) {
  systole_skip *skip = NULL;
  systole_status status = systole_skip_begin(&skip, instructions, count, geometry);
  if (status != SYSTOLE_OK) return status;
  status = forecast(out, instructions, count, geometry, memory, NULL, skip);
  systole_skip_end(skip);
  return status;
}

systole_status systole_forecast_every_event(systole_forecast *out,
                                            const systole_instruction *instructions,
                                            uint32_t count,
                                            const systole_geometry *geometry,
                                            const systole_memory_timing *memory) {
  return forecast(out, instructions, count, geometry, memory, NULL, NULL);
}

systole_status systole_forecast_on_bus(systole_forecast *out,
                                       const systole_instruction *instructions,
                                       uint32_t count, const systole_geometry *geometry,
                                       const systole_memory_timing *memory,
                                       const systole_forecast_bus *bus) {
  void *open;
  memset(out, 0, sizeof *out);
  systole_status status =
      systole_allocate_zeroed(&open, 1, sizeof(unanswered), "a forecast");
  if (status != SYSTOLE_OK) return status;
  ((unanswered *)open)->bus = bus;
  status = forecast(out, instructions, count, geometry, memory, open, NULL);
  systole_release(open);
  return status;
}
