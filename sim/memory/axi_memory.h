/* One AXI4 port with a memory channel of its own: the timing law that every simulated
 * card of Systole obeys. The Verilated RTL and the cycle model link this same file.
 *
 * The law. Cycle t is the rising clock edge number t; "in cycle t" a transfer happens
 * when valid and ready are both high at that edge. L is the latency, and beats go at a
 * rate of `rate_beats` in `rate_cycles` cycles (1 in 1 is full rate).
 *
 *   read   One address is accepted a cycle. The first beat of a burst accepted in cycle t
 * is offered from cycle t + L on. Beats of the port are offered in the order of their
 *          addresses, at most one a cycle.
 *   write  One address is accepted a cycle. Data is taken from the cycle after its
 * address on, in order of addresses, at most one beat a cycle. The response is offered
 * from cycle t + L on when the last beat was taken in cycle t; one response a cycle. rate
 * Per direction an integer accumulator holds when the next beat is due, in units of 1 /
 * rate_beats cycles: beat i follows beat i - 1 after rate_cycles units, rounded up to a
 * whole cycle, and no beat is ever earlier to make up for a pause. depth
 * SYSTOLE_AXI_DEPTH bursts may be under way per direction; further addresses wait.
 *
 * Reads and writes do not interact, and neither do ports. Bytes are read from the memory
 * in the cycle a beat is first offered, and written in the cycle a beat is taken.
 * Addresses outside the memory are answered with DECERR, beat by beat, and their data is
 * 0.
 *
 * Random stalls (for tests) withhold any of the five channels in some cycles: they only
 * ever delay, and equal seeds give equal delays. Faults (for tests) answer a range of
 * addresses with an error or not at all.
 *
 * Use, once per clock cycle and direction, with `now` counting up by one each cycle:
 *   present: the port decides what it offers in this cycle; the caller puts it on its
 * wires; accept:  the caller says what the other side offered, and transfers happen.
 * While a direction is idle and unaddressed both may be left out (systole_axi_*_idle),
 * the latency of a burst included, which is what keeps the model cheap.
 */
#ifndef SYSTOLE_AXI_MEMORY_H
#define SYSTOLE_AXI_MEMORY_H

#include <stdint.h>
#include <string.h>

#include "axi_store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- timing --------------------------------------------------------------------------
 */

typedef struct systole_axi_timing {
  const char *name;     /* of the preset; static storage */
  uint32_t latency;     /* L in cycles, 1 or more */
  uint32_t rate_beats;  /* beats ... */
  uint32_t rate_cycles; /* ... in this many cycles; rate_beats <= rate_cycles */
} systole_axi_timing;

/* Name of preset `index`, NULL beyond the last one. */
const char *systole_axi_preset_name(int index);

/* Cycles and rate of preset `name` for a port of `axi_bytes` bytes a beat (4 ... 64) at a
 * kernel clock of `clock_mhz` (above 0, at most 2000). 0 on success, -1 when there is no
 * such preset. */
int systole_axi_preset(systole_axi_timing *out, const char *name, int axi_bytes,
                       double clock_mhz);

/* Both ports (gmem0, gmem1) of a memory that is a preset's name, or that with changes
 * behind it:
 *   PRESET[+KEY=VALUE]...   gmem0, gmem1: a port's rate in GB/s, as 34 or 34GB/s;
 *                           latency0, latency1: in cycles, or as 80ns
 * "ideal+gmem1=34GB/s". A rate above the port's own is the port's own. names in *out are
 * those of the preset. 0; -1: there is no such preset; -2: what stands behind it makes no
 * sense. */
int systole_axi_ports(systole_axi_timing out[2], const char *name, int axi_bytes,
                      double clock_mhz);

/* ---- faults and stalls (tests) -------------------------------------------------------
 */

enum { SYSTOLE_AXI_OKAY = 0, SYSTOLE_AXI_SLVERR = 2, SYSTOLE_AXI_DECERR = 3 };

/* Bits that name the channels of a port. */
enum {
  SYSTOLE_AXI_AR = 1,
  SYSTOLE_AXI_R = 2,
  SYSTOLE_AXI_AW = 4,
  SYSTOLE_AXI_W = 8,
  SYSTOLE_AXI_B = 16,
  SYSTOLE_AXI_ALL = 31
};

/* Beats that touch addresses first ... last (inclusive) are answered with `response`;
 * with `silent` a burst that touches them is never answered, and neither is what follows
 * it in its direction. `channels`: SYSTOLE_AXI_R for reads, SYSTOLE_AXI_B for writes, or
 * both. */
typedef struct systole_axi_fault {
  uint64_t first, last;
  int channels;
  int response;
  int silent;
} systole_axi_fault;

#define SYSTOLE_AXI_FAULTS 8 /* of one port at a time */

/* ---- the port ------------------------------------------------------------------------
 */

#define SYSTOLE_AXI_DEPTH 256u /* a power of two, so that positions wrap by masking */

typedef struct systole_axi_burst {
  uint64_t address;  /* of the next beat */
  uint64_t ready_at; /* reads: cycle of the first beat; UINT64_MAX: never */
  uint16_t beats;    /* still to come */
  uint8_t faulty;    /* 1: look at the fault list for every beat */
  uint8_t silent;    /* writes: never answered */
  uint8_t response;  /* writes: worst so far */
} systole_axi_burst;

typedef struct systole_axi_reply {
  uint64_t ready_at;
  uint8_t response;
} systole_axi_reply;

/* Fields above the line are for the caller to read after `present`; the rest is private.
 */
typedef struct systole_axi_port {
  /* what the port offers in this cycle */
  const uint8_t *r_data; /* `bytes` bytes; valid while r_valid */
  uint8_t ar_ready, r_valid, r_last, r_response;
  uint8_t aw_ready, w_ready, b_valid, b_response;
  /* since creation or the last reset: transferred beats and bytes with a strobe */
  uint64_t read_beats, write_beats, written_bytes;

  /* ---- private ---- */
  const systole_axi_store *store;
  uint32_t bytes; /* per beat */
  systole_axi_timing timing;
  uint32_t read_head, read_count;
  uint32_t write_head, write_count;
  uint32_t reply_head, reply_count;
  uint64_t read_due, write_due; /* in units of 1 / rate_beats cycles */
  /* Cycle of the first beat of the oldest burst, of the oldest response; UINT64_MAX: none
   */
  uint64_t read_from, reply_from;
  int stalling;          /* 1: random stalls or a hung channel */
  int withheld;          /* channels withheld in this cycle */
  int hung;              /* channels withheld for ever */
  uint64_t random;       /* state of the generator; 0: no random stalls */
  uint8_t chance[5];     /* of a stall, in 1/256, per channel */
  uint8_t long_stall[5]; /* cycles left of a long stall, per channel */
  uint32_t faults;
  systole_axi_fault fault[SYSTOLE_AXI_FAULTS];
  systole_axi_burst reads[SYSTOLE_AXI_DEPTH];
  systole_axi_burst writes[SYSTOLE_AXI_DEPTH];
  systole_axi_reply replies[SYSTOLE_AXI_DEPTH];
} systole_axi_port;

/* `bytes` per beat: 4, 8, 16, 32 or 64. The store and the timing are used, not owned (the
 * timing is copied). Every field is set. */
void systole_axi_port_init(systole_axi_port *port, const systole_axi_store *store,
                           uint32_t bytes, const systole_axi_timing *timing);

/* Forgets everything under way; memory, timing, faults, hung channels and stalls stay. */
void systole_axi_port_reset(systole_axi_port *port);

/* Random stalls from now on, decided by `seed` alone; 0 ends them. */
void systole_axi_port_stall(systole_axi_port *port, uint64_t seed);

/* Adds a fault; -1 when there are SYSTOLE_AXI_FAULTS already. */
int systole_axi_port_fault(systole_axi_port *port, const systole_axi_fault *fault);

/* Withholds `channels` (SYSTOLE_AXI_AR | ...) for ever. */
void systole_axi_port_hang(systole_axi_port *port, int channels);

/* Removes all faults and hung channels. Bursts that were accepted under them stay as they
 * are. */
void systole_axi_port_heal(systole_axi_port *port);

/* Draws which channels are withheld in this cycle. Call before present when `stalling`.
 */
void systole_axi_port_draw(systole_axi_port *port);

/* Response of the fault list to a beat at `address`. */
int systole_axi_port_fault_at(const systole_axi_port *port, uint64_t address,
                              int channel);

/* Fills burst->faulty and ->silent; called for a new burst when the port has faults. */
void systole_axi_port_mark(const systole_axi_port *port, systole_axi_burst *burst,
                           int channel);

/* `bytes` bytes of 0, for data of unmapped addresses. */
extern const uint8_t systole_axi_nothing[64];

/* Nothing is offered in cycle `now`, nor will be by itself: with no address (and no data)
 * on the wires, this cycle may be left out. */
static inline int systole_axi_read_idle(const systole_axi_port *port, uint64_t now) {
  return now < port->read_from && !port->stalling;
}
static inline int systole_axi_write_idle(const systole_axi_port *port, uint64_t now) {
  return now < port->reply_from && !port->stalling;
}

/* 1 if a beat may go in cycle `now`. */
static inline int systole_axi_is_due(const systole_axi_port *port, uint64_t now,
                                     uint64_t due) {
  return now * port->timing.rate_beats >= due;
}

/* When the next beat is due after one in cycle `now`. The part of a cycle that was lost
 * by rounding up is carried over, so that the long-run rate is exact; a longer pause is
 * not. */
static inline uint64_t systole_axi_next_due(const systole_axi_port *port, uint64_t now,
                                            uint64_t due) {
  const uint64_t unit = port->timing.rate_beats;
  const uint64_t earliest = now * unit - (now ? unit - 1 : 0);
  return (due > earliest ? due : earliest) + port->timing.rate_cycles;
}

/* Decides ar_ready and what the R channel offers in cycle `now`. Returns 1 when a beat is
 * offered for the first time (its data must go onto the wires), else 0. */
static inline int systole_axi_read_present(systole_axi_port *port, uint64_t now) {
  const systole_axi_burst *burst = &port->reads[port->read_head];
  port->ar_ready =
      port->read_count < SYSTOLE_AXI_DEPTH && !(port->withheld & SYSTOLE_AXI_AR);
  if (port->r_valid || port->read_count == 0 || now < burst->ready_at ||
      !systole_axi_is_due(port, now, port->read_due) ||
      (port->withheld & SYSTOLE_AXI_R)) {
    return 0;
  }
  port->r_valid = 1;
  port->r_last = burst->beats == 1;
  port->r_response = SYSTOLE_AXI_OKAY;
  port->r_data = systole_axi_store_at(port->store, burst->address, port->bytes);
  if (__builtin_expect(!port->r_data, 0)) {
    port->r_data = systole_axi_nothing;
    port->r_response = SYSTOLE_AXI_DECERR;
  } else if (__builtin_expect(burst->faulty, 0)) {
    port->r_response =
        (uint8_t)systole_axi_port_fault_at(port, burst->address, SYSTOLE_AXI_R);
  }
  return 1;
}

/* Transfers of cycle `now`: an address if ar_valid meets ar_ready (`length` as on the
 * wires, beats - 1), a beat if r_valid meets r_ready. */
static inline void systole_axi_read_accept(systole_axi_port *port, uint64_t now,
                                           int ar_valid, uint64_t address,
                                           uint32_t length, int r_ready) {
  if (port->r_valid && r_ready) {
    systole_axi_burst *burst = &port->reads[port->read_head];
    port->r_valid = 0;
    port->read_beats++;
    port->read_due = systole_axi_next_due(port, now, port->read_due);
    burst->address += port->bytes;
    if (--burst->beats == 0) {
      port->read_head = (port->read_head + 1) % SYSTOLE_AXI_DEPTH;
      port->read_count--;
    }
  }
  if (ar_valid && port->ar_ready) {
    systole_axi_burst *burst =
        &port->reads[(port->read_head + port->read_count) % SYSTOLE_AXI_DEPTH];
    burst->address = address & ~(uint64_t)(port->bytes - 1);
    burst->ready_at = now + port->timing.latency;
    burst->beats = (uint16_t)(length + 1);
    burst->faulty = 0;
    burst->silent = 0;
    if (__builtin_expect(port->faults != 0, 0)) {
      systole_axi_port_mark(port, burst, SYSTOLE_AXI_R);
      if (burst->silent) burst->ready_at = UINT64_MAX;
    }
    port->read_count++;
  }
  port->read_from =
      port->read_count != 0 ? port->reads[port->read_head].ready_at : UINT64_MAX;
}

/* Decides aw_ready, w_ready and what the B channel offers in cycle `now`. */
static inline void systole_axi_write_present(systole_axi_port *port, uint64_t now) {
  port->aw_ready =
      port->write_count < SYSTOLE_AXI_DEPTH && !(port->withheld & SYSTOLE_AXI_AW);
  port->w_ready = port->write_count != 0 && port->reply_count < SYSTOLE_AXI_DEPTH &&
                  systole_axi_is_due(port, now, port->write_due) &&
                  !(port->withheld & SYSTOLE_AXI_W);
  if (!port->b_valid && port->reply_count != 0 &&
      now >= port->replies[port->reply_head].ready_at &&
      !(port->withheld & SYSTOLE_AXI_B)) {
    port->b_valid = 1;
    port->b_response = port->replies[port->reply_head].response;
  }
}

/* Transfers of cycle `now`: an address, a beat of data (`bytes` bytes at w_data, those
 * with a bit in `strobe` are written), a response. `bytes` is the port's; as a constant
 * of the caller it makes the copy a few instructions. */
static inline void systole_axi_write_accept(systole_axi_port *port, uint64_t now,
                                            int aw_valid, uint64_t address,
                                            uint32_t length, int w_valid,
                                            const void *w_data, uint64_t strobe,
                                            int b_ready, uint32_t bytes) {
  if (port->b_valid && b_ready) {
    port->b_valid = 0;
    port->reply_head = (port->reply_head + 1) % SYSTOLE_AXI_DEPTH;
    port->reply_count--;
  }
  if (w_valid && port->w_ready) {
    systole_axi_burst *burst = &port->writes[port->write_head];
    uint8_t *to = systole_axi_store_at(port->store, burst->address, bytes);
    int response = SYSTOLE_AXI_OKAY;
    if (__builtin_expect(!to, 0)) {
      response = SYSTOLE_AXI_DECERR;
    } else if (__builtin_expect(burst->faulty, 0)) {
      response = systole_axi_port_fault_at(port, burst->address, SYSTOLE_AXI_B);
    }
    if (__builtin_expect(response != SYSTOLE_AXI_OKAY, 0)) {
      if (burst->response < response) burst->response = (uint8_t)response;
    } else if (strobe == UINT64_MAX >> (64 - bytes)) {
      memcpy(to, w_data, bytes);
      port->written_bytes += bytes;
    } else {
      for (uint32_t i = 0; i < bytes; i++) {
        if (!(strobe >> i & 1)) continue;
        to[i] = ((const uint8_t *)w_data)[i];
        port->written_bytes++;
      }
    }
    port->write_beats++;
    port->write_due = systole_axi_next_due(port, now, port->write_due);
    burst->address += bytes;
    if (--burst->beats == 0) {
      systole_axi_reply *reply =
          &port->replies[(port->reply_head + port->reply_count) % SYSTOLE_AXI_DEPTH];
      reply->ready_at = burst->silent ? UINT64_MAX : now + port->timing.latency;
      reply->response = burst->response;
      port->reply_count++;
      port->write_head = (port->write_head + 1) % SYSTOLE_AXI_DEPTH;
      port->write_count--;
    }
  }
  if (aw_valid && port->aw_ready) {
    systole_axi_burst *burst =
        &port->writes[(port->write_head + port->write_count) % SYSTOLE_AXI_DEPTH];
    burst->address = address & ~(uint64_t)(bytes - 1);
    burst->ready_at = 0;
    burst->beats = (uint16_t)(length + 1);
    burst->faulty = 0;
    burst->silent = 0;
    burst->response = SYSTOLE_AXI_OKAY;
    if (__builtin_expect(port->faults != 0, 0)) {
      systole_axi_port_mark(port, burst, SYSTOLE_AXI_B);
    }
    port->write_count++;
  }
  port->reply_from =
      port->reply_count != 0 ? port->replies[port->reply_head].ready_at : UINT64_MAX;
}

#ifdef __cplusplus
}
#endif
#endif
