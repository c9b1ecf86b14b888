/* The state of a forecast in mid-run: what each unit has done and when its next event can
 * happen. Private to forecast*.c.
 *
 * Every field is a time (an absolute cycle, or kNever), a count since the start, or a
 * value that stays as it is while time passes; forecast_skip.c has to know which, and
 * lists every one: a field that is added here is added there. */
#ifndef SYSTOLE_PROGRAM_FORECAST_STATE_H
#define SYSTOLE_PROGRAM_FORECAST_STATE_H

#include <stdint.h>

#include "program/forecast.h"

#define kNever (INT64_MAX / 4)

enum {
  kFetchAhead = 8,     /* instructions asked for and not dispatched */
  kFetchPiece = 4,     /* instructions of a request */
  kUnitJobs = 2,       /* LOADs and STOREs accepted and not finished */
  kWeightRequests = 2, /* that are being cut into bursts */
  kWeightBursts = 16,  /* in flight */
  kWeightPieces = 8,   /* requests of the weight unit under way */
  kLoadBursts = 64,    /* bursts in flight */
  kStoreBursts = 16,   /* likewise */
  kStoreAnswers = 13,  /* STOREs whose responses are awaited */
  kMatmulPending = 4,  /* MATMULs whose last rows are landing */
  kSlots = 32,         /* rows in the activation unit; twice as many from Dim 128 on */
  kQuantum = 16,       /* rows of a step; int8 rows and the rows of a LOAD ... */
  kSharedQuantum = 4,  /* ... when they share port B */
  kMostAtOnce = 10000, /* events of a cycle; more, and a stream goes in circles */
  kRing = 128,         /* at least every number above; a power of two */
  kTileRing = 4096     /* tiles that are remembered; beyond any weight FIFO */
};

/* One direction of a memory port. */
typedef struct channel {
  int64_t latency, unit, step; /* a beat is due every step / unit cycles */
  int64_t address_free;        /* next cycle for an address */
  int64_t free;                /* next cycle for a beat */
  int64_t due;                 /* in 1 / unit cycles, as in the law */
  int64_t beats;               /* so far */
} channel;

/* Port B of the unified buffer: which cycles are taken, from word `first` of 64 on. Who
 * comes late takes the next free cycle, so that the port never does more than one access
 * a cycle; that a stronger unit goes first is true but for the few rows of a quantum. */
enum {
  kPortWords = 128,
  kPortBack = 8 /* an event may lie a cycle or two before one that came first */
};
typedef struct port_b {
  uint64_t taken[kPortWords];
  int64_t first;
} port_b;

/* Queue of a unit, its head and how often it has waited. */
typedef struct queue {
  uint32_t at[SYSTOLE_QUEUE_DEPTH];     /* instruction numbers */
  int64_t head_at[SYSTOLE_QUEUE_DEPTH]; /* cycle in which the entry can be at the head */
  int head, count;
  int64_t freed; /* a full queue takes the next instruction in this cycle */
  int64_t free;  /* the unit can accept from this cycle on */
} queue;

/* Tokens of an ordered pair of units that are given and not taken, by time. A stream that
 * systole_prove accepts never has more than the counter holds. */
typedef struct tokens {
  int64_t at[1 << SYSTOLE_TOKEN_BITS];
  unsigned given, taken;
} tokens;

typedef struct copy { /* a LOAD or STORE */
  int64_t rows, lines, blocks, before, after;
  int64_t offset, line_stride, block_stride;
  int64_t row_bytes;
  int raw;
  unsigned give;
} copy;

typedef struct copier { /* asking and moving of LOAD and STORE */
  copy jobs[kUnitJobs];
  int64_t start_at[kUnitJobs]; /* rows may move from then on */
  unsigned accepted, finished; /* jobs */
  int64_t slot_at;             /* the last one that finished made room then */
  int asking;                  /* the last accepted job still has lines to ask for */
  int64_t ask_at;              /* next line's request */
  int64_t block, line;         /* of the next request */
  int64_t request_from, request_bytes; /* what is left of the request being cut */
  int64_t request_at;
  /* bursts in order: address cycle, beats left to move, and when they ended */
  int64_t address_at[kRing], beats[kRing], ended_at[kRing];
  unsigned issued, moved; /* bursts */
  /* the job at work */
  int running;
  int64_t at_block, at_line, position; /* row of the line, fills included */
  int64_t ready;                       /* next row may move */
  int64_t parts; /* LOAD: beats that wait for the rest of their row */
} copier;

typedef struct weight_piece { /* a request of the weight unit */
  int64_t from, beats;        /* bytes; what is still to be cut into bursts */
  int64_t all_beats, rows;    /* rows 0: column parameters */
  int64_t hold, at;           /* cycles of a beat; first burst */
  int64_t row, end;           /* rows of all tiles before it; last beat */
  int last;                   /* of its instruction */
  unsigned give;
} weight_piece;

typedef struct gmem1_burst { /* a read of the fetch or of the weight unit */
  int fetch;
  uint32_t first, count;  /* fetch: instructions */
  unsigned piece, number; /* weights: whose burst, and the how manieth of all */
  int64_t beats, before;  /* of the burst; of the piece before it */
  int last;               /* of the piece */
} gmem1_burst;

typedef struct store_end { /* a STORE that has sent all its bursts */
  unsigned burst, job;     /* the last one; its number */
  unsigned give;
} store_end;

/* Bursts whose answers are awaited, in order, where memory answers for itself
 * (systole_forecast_on_bus). Nothing is skipped then. */
typedef struct unanswered {
  const systole_forecast_bus *bus;
  int abandoned;
  int64_t now;
  gmem1_burst gmem1[kRing];
  unsigned loads[kRing], writes[kRing]; /* numbers of bursts */
  unsigned gmem1_sent, gmem1_taken, loads_sent, loads_taken, writes_sent, writes_taken;
  store_end stores[kRing];
  unsigned stores_sent, stores_taken;
  int64_t store_from[kRing], store_bytes[kRing]; /* of STORE's bursts, by number */
} unanswered;

typedef struct forecaster {
  const systole_instruction *instructions;
  uint32_t count;
  const systole_geometry *geometry;
  int64_t dim, axi;
  uint64_t events; /* that were followed: never skipped */

  channel gmem0_read, gmem0_write, gmem1_read;
  queue queues[SYSTOLE_UNITS];
  tokens tokens[SYSTOLE_UNITS][SYSTOLE_UNITS]; /* [from][to] */
  int64_t idle_at; /* when everything that is known to happen will be over */

  /* fetch and dispatch */
  uint32_t asked, popped;
  int64_t ask_at, popped_at[kRing], here_at[kRing];
  int holds;         /* an instruction is at the dispatcher */
  int64_t hold_at;   /* it may leave from then on */
  int64_t pushed_at; /* the one before left */
  int ended;         /* END was dispatched */

  /* weights */
  int asking_weights, params;
  unsigned weights_give;
  int64_t weights_at, weights_from, rows_left, rows_asked; /* rows over the whole run */
  int64_t tile_here[kTileRing], tile_shift[kTileRing];
  int64_t tiles_here, tiles_shifted, tiles_used, used_at;
  weight_piece pieces[kRing];
  unsigned asked_pieces, cut_pieces; /* requested; all their bursts are on their way */
  int64_t cut_at;                    /* the last one was */
  int fetch_was_last;                /* at the arbiter */
  int64_t burst_end[kRing];
  unsigned bursts;

  /* array */
  int working;
  int64_t rows, steps, issue_from, issued_at; /* rows of a step; issued_at: last row */
  int64_t free_at;                            /* of the array, after the last row */
  unsigned matmul_give;
  int overwrites, half;
  int64_t landed_at[2]; /* by half */
  int64_t pending[kMatmulPending];
  unsigned matmuls;
  int64_t first_row, last_row; /* of the run */
  systole_ledger ledger;
  int64_t accounted; /* cycles up to here are in the ledger */

  /* activation unit */
  int activating, raw;
  int64_t activate_left, activate_at, activate_free, activate_pace;
  unsigned activate_give;
  int64_t activate_read;       /* its first accumulator row */
  int64_t activate_rows;       /* all of them */
  int64_t raw_rows;            /* raw rows that the store has taken, over the whole run */
  int64_t raw_taken_at[kRing]; /* the last of them */
  int64_t int8_until;          /* the last int8 row was taken */
  int gave;                    /* this instruction has given its tokens */

  copier load, store;
  port_b port_b;
  int64_t answers[kRing], response_at[kRing];
  unsigned answered;

  unanswered *open; /* NULL: the law's latency answers every burst at once */
} forecaster;

#endif
