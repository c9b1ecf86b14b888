/* One 64-byte instruction: setting and reading its fields, and what each opcode's fields
 * are. The encoding itself is in card/systole_isa.h, generated from
 * hw/rtl/systole_pkg.sv. */
#ifndef SYSTOLE_PROGRAM_INSTRUCTION_H
#define SYSTOLE_PROGRAM_INSTRUCTION_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "card/systole_isa.h"
#include "systole/systole.h"

typedef struct systole_instruction {
  uint8_t bytes[SYSTOLE_INSTRUCTION_BYTES]; /* as they lie in device memory */
} systole_instruction;

/* A field lies within eight bytes: those from the one with its lowest bit on, or the last
 * eight. Read and written as one word, whatever the byte order of the host is. */
enum { SYSTOLE_FIELD_MAX_BITS = 57 };

static inline int systole_field_byte(int lsb) {
  return lsb / 8 < SYSTOLE_INSTRUCTION_BYTES - 8 ? lsb / 8
                                                 : SYSTOLE_INSTRUCTION_BYTES - 8;
}

static inline uint64_t systole_field_word(const uint8_t *from) {
  uint64_t word = 0;
  for (int b = 0; b < 8; b++) word |= (uint64_t)from[b] << (8 * b);
  return word;
}

/* Writes the low `bits` bits of value at bit `lsb`; asserts that value fits, either as an
 * unsigned number or as a two's complement one. */
static inline void systole_set_bits(systole_instruction *instruction, int lsb, int bits,
                                    int64_t value) {
  assert(bits > 0 && bits <= SYSTOLE_FIELD_MAX_BITS && lsb >= 0 &&
         lsb + bits <= SYSTOLE_INSTRUCTION_BITS);
  assert(value < ((int64_t)1 << bits) && value >= -((int64_t)1 << (bits - 1)));
  uint8_t *to = &instruction->bytes[systole_field_byte(lsb)];
  const int shift = lsb - 8 * systole_field_byte(lsb);
  const uint64_t mask = (((uint64_t)1 << bits) - 1) << shift;
  const uint64_t word =
      (systole_field_word(to) & ~mask) | (((uint64_t)value << shift) & mask);
  for (int b = 0; b < 8; b++) to[b] = (uint8_t)(word >> (8 * b));
}

/* Reads them back. */
static inline uint64_t systole_get_bits(const systole_instruction *instruction, int lsb,
                                        int bits) {
  assert(bits > 0 && bits <= SYSTOLE_FIELD_MAX_BITS && lsb >= 0 &&
         lsb + bits <= SYSTOLE_INSTRUCTION_BITS);
  const uint8_t *from = &instruction->bytes[systole_field_byte(lsb)];
  const int shift = lsb - 8 * systole_field_byte(lsb);
  return (systole_field_word(from) >> shift) & (((uint64_t)1 << bits) - 1);
}

static inline int64_t systole_get_signed_bits(const systole_instruction *instruction,
                                              int lsb, int bits) {
  const uint64_t value = systole_get_bits(instruction, lsb, bits);
  const uint64_t sign = (uint64_t)1 << (bits - 1);
  return (int64_t)((value ^ sign) - sign);
}

/* SYSTOLE_SET(&i, COPY_ROWS, 12) */
#define SYSTOLE_SET(instruction, field, value) \
  systole_set_bits(instruction, SYSTOLE_##field##_LSB, SYSTOLE_##field##_BITS, value)
#define SYSTOLE_GET(instruction, field) \
  systole_get_bits(instruction, SYSTOLE_##field##_LSB, SYSTOLE_##field##_BITS)
#define SYSTOLE_GET_SIGNED(instruction, field) \
  systole_get_signed_bits(instruction, SYSTOLE_##field##_LSB, SYSTOLE_##field##_BITS)

/* An instruction with version, opcode and token masks, all else zero. */
systole_instruction systole_instruction_make(int opcode, unsigned wait, unsigned give);

/* The unit that executes an opcode (SYSTOLE_UNIT_...), SYSTOLE_UNIT_DISPATCH for END, -1
 * for a code that is none. */
int systole_opcode_unit(int opcode);

/* "MATMUL", "array"; "?" for a code that is none. Static storage. */
const char *systole_opcode_name(int opcode);
const char *systole_unit_name(int unit);

/* A field of an opcode. */
typedef struct systole_field {
  const char *name; /* as systole_instruction_print writes it; NULL ends a list */
  int lsb, bits, is_signed;
} systole_field;

/* The fields of an opcode without those that every instruction has; an empty list for a
 * code that is none. Static storage. */
const systole_field *systole_opcode_fields(int opcode);

/* A 1 for every bit that belongs to a field of the opcode: the bits outside must be zero.
 */
systole_instruction systole_opcode_mask(int opcode);

/* "LOAD wait=array give=array rows=128 ..." without the fields that are zero, for traces
 * and failure messages. */
void systole_instruction_print(char *out, size_t bytes,
                               const systole_instruction *instruction);

/* The way back: reads what systole_instruction_print wrote. SYSTOLE_ERR_ARGUMENT with a
 * sentence for an unknown name and for a value that the field does not hold; *out is then
 * undefined. Whether the instruction makes sense is for systole_check_instruction. */
systole_status systole_instruction_parse(systole_instruction *out, const char *text);

#endif
