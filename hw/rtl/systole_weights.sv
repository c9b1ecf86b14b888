// The weight unit: WEIGHTS instructions in, tiles for the array and column parameters out.
//
// Device memory -> weight FIFO (WeightTiles tiles, a row of Dim weights an entry) -> shadow
// registers of the array. Reads are asked for in pieces for which the FIFO has room, so that read
// data never wait (the port is shared with the instruction fetch). The next instruction's reads
// go out while this one's data arrive.
//
// Shifting: when a whole tile is in the FIFO and the shadow is free, its rows leave on Dim
// consecutive cycles. With s the cycle that decides to shift, weight_valid_o is high in
// s + 1 ... s + Dim, and tile_ready_o from s + Dim on. switch_i (the first row of the tile is
// issued) frees the shadow; shifting may start in the cycle of switch_i: one tile every Dim cycles.
//
// Done: tokens are given when the last beat of the instruction has arrived (for parameters: they
// are in the activation unit in the next cycle).
`include "systole_assert.svh"
`default_nettype none

module systole_weights #(
  parameter int Dim         = 16,
  parameter int AxiBytes    = 16,
  parameter int WeightTiles = 16, // Dim x Dim tiles in the FIFO, power of two, at least 2
  localparam int UnitBits   = systole_pkg::Units,
  localparam int FifoRows   = WeightTiles * Dim,
  localparam int FifoBits   = $clog2(FifoRows),
  localparam int LaneBits   = $clog2(Dim),
  localparam int BeatBits   = $clog2(8 * Dim / AxiBytes) + 1,
  localparam int InstrBits  = systole_pkg::InstructionBits
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic [63:0]           base_i,         // weights pointer

  // Head of this unit's queue, its tokens present.
  input  logic                  head_valid_i,
  input  logic [InstrBits-1:0]  head_i,
  input  logic [31:0]           head_index_i,   // its number
  output logic                  accept_o,
  output logic                  done_o,         // one cycle: give these tokens
  output logic [UnitBits-1:0]   give_o,

  // Reads.
  output logic                  req_valid_o,
  input  logic                  req_ready_i,
  output logic [63:0]           req_addr_o,
  output logic [31:0]           req_beats_o,
  input  logic                  data_valid_i,
  output logic                  data_ready_o,
  input  logic [8*AxiBytes-1:0] data_i,

  // The array.
  input  logic                  switch_i,       // the tile in the shadow is switched in
  output logic                  tile_ready_o,   // a tile is in the shadow
  output logic                  tile_here_o,    // a tile is in the shadow, on its way or in the FIFO
  output logic                  weight_valid_o,
  output logic [8*Dim-1:0]      weight_row_o,

  // Column parameters, beat by beat, to the activation unit.
  output logic                  param_valid_o,
  output logic                  param_bank_o,
  output logic [BeatBits-1:0]   param_beat_o,   // number of the beat in the block
  output logic [8*AxiBytes-1:0] param_data_o,

  output logic                  error_o,        // one cycle: the offset is not a multiple of AxiBytes
  output logic [31:0]           index_o,        // instruction whose data came last (for error reports)
  output logic                  wake_o,         // this cycle changes something here
  output logic                  busy_o
);
  localparam int ParamBeats = systole_pkg::ParamBytes * Dim / AxiBytes;
  // A piece: a quarter of the FIFO, at most the 256 beats of one burst.
  localparam int PieceRows  = (FifoRows / 4 < 256 * AxiBytes / Dim) ? FifoRows / 4
                                                                    : 256 * AxiBytes / Dim;
  localparam int RowsLeftBits = systole_pkg::WeightsTilesBits + LaneBits;
  localparam int AxiShift     = $clog2(AxiBytes);

  // ---- requests ----------------------------------------------------------------------------
  logic                    active_q;
  logic                    params_q;
  logic                    bank_q;
  logic [UnitBits-1:0]     give_q;
  logic [31:0]             index_q;
  logic [63:0]             addr_q;
  logic [RowsLeftBits-1:0] rows_left_q;
  logic [FifoBits:0]       reserved_q;   // rows in the FIFO or asked for
  logic [FifoBits:0]       piece_rows;
  logic                    piece_last_q; // the next piece is the last one, or parameters
  logic [9:0]              piece_beats;
  logic                    room;
  logic                    pieces_full;
  logic                    request;
  logic                    pop_row;
  logic                    misaligned;

  assign accept_o   = head_valid_i && !active_q;
  assign misaligned = head_i[systole_pkg::WeightsOffsetLsb +: AxiShift] != '0;

  assign piece_rows  = piece_last_q ? rows_left_q[FifoBits:0] : (FifoBits + 1)'(PieceRows);
  assign piece_beats = params_q ? 10'(ParamBeats) : 10'(32'(piece_rows) * Dim / AxiBytes);
  assign room        = params_q || 32'(reserved_q) + 32'(piece_rows) <= FifoRows;
  assign req_valid_o = active_q && room && !pieces_full;
  assign req_addr_o  = addr_q;
  assign req_beats_o = 32'(piece_beats);
  assign request     = req_valid_o && req_ready_i;

  always_ff @(posedge clk_i) begin
    error_o <= 1'b0;
    if (accept_o) begin
      active_q    <= !misaligned;
      error_o     <= misaligned;
      params_q    <= head_i[systole_pkg::WeightsParamsLsb];
      bank_q      <= head_i[systole_pkg::WeightsBankLsb];
      index_q     <= head_index_i;
      give_q      <= head_i[systole_pkg::GiveLsb +: UnitBits];
      addr_q      <= base_i + 64'(head_i[systole_pkg::WeightsOffsetLsb +: systole_pkg::WeightsOffsetBits]);
      rows_left_q <= {head_i[systole_pkg::WeightsTilesLsb +: systole_pkg::WeightsTilesBits], LaneBits'(0)};
      piece_last_q <= head_i[systole_pkg::WeightsParamsLsb] ||
                      {head_i[systole_pkg::WeightsTilesLsb +: systole_pkg::WeightsTilesBits], LaneBits'(0)} <=
                      RowsLeftBits'(PieceRows);
    end
    if (request) begin
      addr_q      <= addr_q + 64'(PieceRows * Dim);
      rows_left_q <= rows_left_q - RowsLeftBits'(PieceRows);
      piece_last_q <= rows_left_q <= RowsLeftBits'(2 * PieceRows);
      if (piece_last_q) active_q <= 1'b0;
    end
    if ((request && !params_q) || pop_row)
      reserved_q <= reserved_q + ((request && !params_q) ? piece_rows : '0) - (FifoBits + 1)'(pop_row);
    if (!rst_ni) begin
      active_q   <= 1'b0;
      reserved_q <= '0;
      error_o    <= 1'b0;
    end
  end

  // ---- arrival: what the beats are, in the order in which they were asked for --------------
  localparam int PieceBits = 32 + 3 + UnitBits + 10;
  logic [PieceBits-1:0] piece;
  logic                 pieces_empty;
  logic [3:0]           unused_pieces;
  logic [31:0]          piece_index;
  logic                 piece_params;
  logic                 piece_bank;
  logic                 piece_done;
  logic [UnitBits-1:0]  piece_give;
  logic [9:0]           piece_length;
  logic [9:0]           beat_q;
  logic                 beat;
  logic                 last_beat;
  logic                 row_beat_ready;
  logic                 row_valid;
  logic [8*Dim-1:0]     row;

  systole_fifo #(.Width(PieceBits), .Depth(8)) u_pieces (
    .clk_i, .rst_ni, .clear_i(1'b0),
    .push_i(request), .data_i({index_q, params_q, bank_q, piece_last_q, give_q, piece_beats}), .full_o(pieces_full),
    .pop_i(last_beat), .data_o(piece), .empty_o(pieces_empty), .count_o(unused_pieces));
  assign {piece_index, piece_params, piece_bank, piece_done, piece_give, piece_length} = piece;

  assign data_ready_o = !pieces_empty && (piece_params || row_beat_ready);
  assign beat         = data_valid_i && data_ready_o;
  assign last_beat    = beat && beat_q == piece_length - 1'b1;

  systole_beats_to_rows #(.Dim(Dim), .AxiBytes(AxiBytes)) u_rows (
    .clk_i, .rst_ni,
    .beat_valid_i(data_valid_i && !pieces_empty && !piece_params), .beat_ready_o(row_beat_ready), .beat_i(data_i),
    .row_valid_o(row_valid), .row_ready_i(1'b1), .row_last_i(1'b0), .row_o(row));

  always_ff @(posedge clk_i) begin
    done_o        <= last_beat && piece_done;
    param_valid_o <= beat && piece_params;
    if (beat) beat_q <= last_beat ? '0 : beat_q + 1'b1;
    if (last_beat) give_o <= piece_give;
    if (beat) index_o <= piece_index;
    if (accept_o && misaligned) index_o <= head_index_i;
    if (beat && piece_params) begin
      param_bank_o <= piece_bank;
      param_beat_o <= BeatBits'(beat_q);
      param_data_o <= data_i;
    end
    if (!rst_ni) begin
      done_o        <= 1'b0;
      param_valid_o <= 1'b0;
      beat_q        <= '0;
    end
  end

  // ---- the FIFO and the way into the shadow ------------------------------------------------
  logic [8*Dim-1:0]    fifo [0:FifoRows-1];
  logic [FifoBits-1:0] write_q;
  logic [FifoBits-1:0] read_q;
  logic [FifoBits:0]   rows_q;       // rows in the FIFO
  logic [LaneBits-1:0] shifted_q;    // rows of this tile that have left; 0: none under way
  logic                whole_tile;
  logic                shift_start;

  assign whole_tile  = rows_q >= (FifoBits + 1)'(Dim);
  assign shift_start = whole_tile && shifted_q == '0 && (!tile_ready_o || switch_i);
  assign pop_row     = shift_start || shifted_q != '0;
  assign tile_here_o = whole_tile || tile_ready_o || shifted_q != '0;

  always_ff @(posedge clk_i) begin
    weight_valid_o <= pop_row;
    if (row_valid) begin
      fifo[write_q] <= row;
      write_q       <= write_q + 1'b1;
    end
    if (pop_row) begin
      weight_row_o <= fifo[read_q];
      read_q       <= read_q + 1'b1;
      shifted_q    <= shifted_q + 1'b1;
    end
    if (row_valid != pop_row) rows_q <= row_valid ? rows_q + 1'b1 : rows_q - 1'b1;
    if (switch_i) tile_ready_o <= 1'b0;
    if (pop_row && shifted_q == LaneBits'(Dim - 1)) tile_ready_o <= 1'b1;
    if (!rst_ni) begin
      weight_valid_o <= 1'b0;
      write_q        <= '0;
      read_q         <= '0;
      rows_q         <= '0;
      shifted_q      <= '0;
      tile_ready_o   <= 1'b0;
    end
  end

  assign wake_o = accept_o || req_valid_o || data_valid_i || pop_row || switch_i || weight_valid_o ||
                  param_valid_o || done_o || error_o;
  assign busy_o = active_q || !pieces_empty || done_o;

  `SYSTOLE_ASSERT(SwitchOnlyAWholeTile, !switch_i || tile_ready_o)
  `SYSTOLE_ASSERT(FifoNeverOverflows, !row_valid || rows_q != (FifoBits + 1)'(FifoRows))

  initial begin
    if (WeightTiles < 2 || 2**$clog2(WeightTiles) != WeightTiles) $fatal(1, "systole_weights: WeightTiles must be a power of two, at least 2");
    if (FifoRows < 8) $fatal(1, "systole_weights: the FIFO needs at least 8 rows");
    if (AxiBytes < 4 || AxiBytes > 2 * Dim || AxiBytes > 64) $fatal(1, "systole_weights: AxiBytes must be 4 ... 64 and at most 2 Dim");
  end
endmodule

`default_nettype wire
