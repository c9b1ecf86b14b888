/* AXI protocol checkers: they watch the wires of a port, once a cycle, and remember the
 * first rule that was broken. The rules come from the AMBA AXI specification (ARM IHI
 * 0022); the ones marked (kernel) are narrower than AXI and hold for Systole's masters
 * only.
 *
 *   1  a channel's valid stays up until ready              ValidHeldUntilReady
 *   2  its payload does not change meanwhile               PayloadStableUntilReady
 *   3  bursts are INCR, of whole aligned beats (kernel)    IncrementingFullBeats
 *   4  no burst crosses a 4 KiB boundary                   BurstWithin4KiB
 *   5  last stands on the last beat and nowhere else       LastOnLastBeat
 *   6  no write data before its address is accepted (kernel)  DataAfterAddress
 *   7  every burst is answered once, none unasked          AnswerBelongsToBurst
 *   8  a response is OKAY, SLVERR or DECERR                KnownResponse
 *   9  valid is low while reset is low, but for its first
 *      SYSTOLE_AXI_RESET_GRACE cycles (reset is registered)  QuietInReset
 *  10  nothing is under way when the kernel says done (kernel)  DrainedWhenDone
 *
 * Both sides are watched: rules 1, 2, 5, 7, 8 hold for the memory as well.
 */
#ifndef SYSTOLE_AXI_CHECKER_H
#define SYSTOLE_AXI_CHECKER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The wires of one AXI4 port just before a rising clock edge. A port without a write side
 * leaves those fields 0 and the pointers NULL. */
typedef struct systole_axi_wires {
  uint64_t ar_address, aw_address;
  uint64_t w_strobe;
  const void *r_data, *w_data; /* `bytes` bytes each */
  uint8_t reset_n;
  uint8_t ar_valid, ar_ready, ar_length, ar_size, ar_burst;
  uint8_t r_valid, r_ready, r_last, r_response;
  uint8_t aw_valid, aw_ready, aw_length, aw_size, aw_burst;
  uint8_t w_valid, w_ready, w_last;
  uint8_t b_valid, b_ready, b_response;
} systole_axi_wires;

#define SYSTOLE_AXI_RESET_GRACE 8u

#define SYSTOLE_AXI_CHECKER_DEPTH \
  512u /* bursts under way that are tracked; a power of two */

typedef struct systole_axi_checker {
  char name[16]; /* of the port, for the story */
  uint32_t bytes;
  systole_axi_wires before; /* wires of the cycle before; pointers are not used */
  uint8_t r_before[64], w_before[64];
  uint8_t read_length[SYSTOLE_AXI_CHECKER_DEPTH], write_length[SYSTOLE_AXI_CHECKER_DEPTH];
  uint32_t read_head, reads;        /* bursts whose data is not complete */
  uint32_t write_head, writes;      /* likewise */
  uint32_t read_beats, write_beats; /* beats seen of the oldest one */
  uint32_t unanswered;              /* writes whose data is complete, response is not */
  uint32_t reset_cycles;            /* for how long reset has been low */
  int broken;      /* 1: a rule was broken; the checker then watches no longer */
  char story[200]; /* which, on which port, in which cycle; "" before */
} systole_axi_checker;

/* `bytes` per beat: 4 ... 64. */
void systole_axi_checker_init(systole_axi_checker *checker, const char *name,
                              uint32_t bytes);

/* Forgets what is under way and what was broken. */
void systole_axi_checker_reset(systole_axi_checker *checker);

/* One cycle. Returns checker->broken. */
int systole_axi_checker_cycle(systole_axi_checker *checker, uint64_t cycle,
                              const systole_axi_wires *wires);

/* Rule 10; call in the cycle in which the kernel says done. Returns checker->broken. */
int systole_axi_checker_done(systole_axi_checker *checker, uint64_t cycle);

/* ---- AXI4-Lite slave (rules 1, 2, 7, 8 and 9 for the kernel's control port)
 * ------------- */

typedef struct systole_axi_lite_wires {
  uint32_t r_data;
  uint8_t reset_n;
  uint8_t ar_valid, ar_ready, r_valid, r_ready, r_response;
  uint8_t aw_valid, aw_ready, w_valid, w_ready, b_valid, b_ready, b_response;
} systole_axi_lite_wires;

typedef struct systole_axi_lite_checker {
  char name[16];
  systole_axi_lite_wires before;
  uint32_t reads, addresses, data; /* accepted, not yet answered */
  uint32_t reset_cycles;
  int broken;
  char story[200];
} systole_axi_lite_checker;

void systole_axi_lite_checker_init(systole_axi_lite_checker *checker, const char *name);
int systole_axi_lite_checker_cycle(systole_axi_lite_checker *checker, uint64_t cycle,
                                   const systole_axi_lite_wires *wires);

#ifdef __cplusplus
}
#endif
#endif
