/* The form of a recording: what a host did with a card, in order.
 *
 *   8 bytes   SYSTOLE_RECORD_MAGIC
 *   events    each a header of 40 bytes and `payload` bytes
 *   32 bytes  SHA-256 of everything before
 *
 * The first event is OPEN, the last END; numbers are little-endian. Addresses are those
 * of the recorded card; a replay allocates its own and translates.
 *
 *   event     small         a         b          c             payload
 *   OPEN      version                                          JSON: the card, its
 * options ALLOC     port          address   bytes FREE      port          address WRITE
 * port          address                            the bytes READ      port address the
 * bytes that came START     instructions  program   weights    activations DONE -status
 * the story, if it failed REGISTER  offset        value RESET     -status END       1:
 * cut        runs
 *
 * START without DONE before the next RESET or END was interrupted. REGISTER holds what
 * was read while no run was on, from RegErrorCode on.
 */
#ifndef SYSTOLE_CARD_RECORD_FORMAT_H
#define SYSTOLE_CARD_RECORD_FORMAT_H

#include <stdint.h>

#define SYSTOLE_RECORD_MAGIC "SYSTREC\n"
#define SYSTOLE_RECORD_VERSION 1

enum {
  SYSTOLE_RECORD_OPEN = 1,
  SYSTOLE_RECORD_ALLOC,
  SYSTOLE_RECORD_FREE,
  SYSTOLE_RECORD_WRITE,
  SYSTOLE_RECORD_READ,
  SYSTOLE_RECORD_START,
  SYSTOLE_RECORD_DONE,
  SYSTOLE_RECORD_REGISTER,
  SYSTOLE_RECORD_RESET,
  SYSTOLE_RECORD_END,
  SYSTOLE_RECORD_MAGIC_BYTES = 8,
  SYSTOLE_RECORD_HEADER_BYTES = 40
};

typedef struct systole_record_event {
  uint32_t type, small;
  uint64_t a, b, c, payload;
} systole_record_event;

#endif
