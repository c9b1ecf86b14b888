// The store unit: STORE instructions, unified buffer or raw int32 rows -> device memory.
//
// For each block and line: `rows` rows, contiguous in device memory. Rows come from port B of the
// unified buffer (Dim bytes) or, with raw set, from the activation unit (4 Dim bytes, in the order
// in which it makes them; only the first `lanes` elements of each are stored, one behind the other). The asking side (addresses) runs ahead of the sending side (data).
//
// Rate: a beat a cycle. The line's last beat carries strobes for its bytes only.
// Done: tokens are given after the response to the last burst of the instruction.
// Errors: a row beyond the unified buffer (detail: the row); an offset, a stride or the bytes of a raw
// row that are not a multiple of AxiBytes (nothing is written).
`include "systole_assert.svh"
`default_nettype none

module systole_store #(
  parameter int Dim       = 16,
  parameter int UbRows    = 16384,
  parameter int AxiBytes  = 16,
  localparam int UbBits   = $clog2(UbRows),
  localparam int UnitBits = systole_pkg::Units,
  localparam int InstrBits = systole_pkg::InstructionBits
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic [63:0]           base_i,       // activations pointer

  input  logic                  head_valid_i, // head of this unit's queue, its tokens present
  input  logic [InstrBits-1:0]  head_i,
  input  logic [31:0]           head_index_i, // its number
  output logic                  accept_o,
  output logic                  done_o,
  output logic [UnitBits-1:0]   give_o,

  output logic                  req_valid_o,
  input  logic                  req_ready_i,
  output logic [63:0]           req_addr_o,
  output logic [31:0]           req_beats_o,
  output logic                  data_valid_o,
  input  logic                  data_ready_i,
  output logic [8*AxiBytes-1:0] data_o,
  output logic [AxiBytes-1:0]   strb_o,
  input  logic                  burst_end_i,  // a burst's last beat was taken in this cycle
  input  logic                  response_i,   // a burst's response has come

  // Port B: granted in the same cycle, data two cycles later.
  output logic                  ub_valid_o,
  input  logic                  ub_grant_i,
  output logic [UbBits-1:0]     ub_row_o,
  input  logic                  ub_data_valid_i,
  input  logic [8*Dim-1:0]      ub_data_i,

  // Raw rows from the activation unit.
  input  logic                  raw_valid_i,
  output logic                  raw_ready_o,
  input  logic [32*Dim-1:0]     raw_data_i,

  output logic                  range_error_o, // one cycle
  output logic                  align_error_o, // one cycle
  output logic [31:0]           error_detail_o,
  output logic [31:0]           index_o,       // instruction that is being sent (for error reports)
  output logic [31:0]           answer_index_o,// instruction whose responses are awaited
  output logic                  owed_o,        // bursts are complete and not yet answered
  output logic                  wake_o,        // this cycle changes something here
  output logic                  busy_o
);
  localparam int AxiShift = $clog2(AxiBytes);
  // A row of Dim (or 4 Dim) bytes leaves as so many beats.
  localparam int RawParts  = 4 * Dim / AxiBytes;
  localparam int Int8Parts = (Dim >= AxiBytes) ? Dim / AxiBytes : 1;
  localparam int PartBits  = $clog2(RawParts);

  // ---- asking ------------------------------------------------------------------------------
  logic        ask_q;
  logic [63:0] line_addr_q;
  logic [63:0] block_addr_q;
  logic [63:0] line_stride_q;
  logic [63:0] block_stride_q;
  logic [15:0] lines_q;
  logic [15:0] lines_left_q;
  logic [15:0] blocks_left_q;
  logic        misaligned;
  logic        step;
  logic        jobs_full;
  logic [31:0] line_beats_q;      // of a line
  logic        head_raw;
  logic [15:0] head_rows;
  logic [8:0]  head_lanes;
  logic [PartBits:0]   head_parts; // beats of a raw row
  logic [PartBits-1:0] head_last_part;

  assign head_raw   = head_i[systole_pkg::CopyRawLsb];
  assign head_rows  = head_i[systole_pkg::CopyRowsLsb +: systole_pkg::CopyRowsBits];
  assign head_lanes = head_i[systole_pkg::CopyRawLanesLsb +: systole_pkg::CopyRawLanesBits];
  assign head_parts = (head_lanes == '0) ? (PartBits + 1)'(RawParts) : (PartBits + 1)'({head_lanes, 2'b00} >> AxiShift);
  assign head_last_part = head_raw ? PartBits'(head_parts - 1'b1) : PartBits'(Int8Parts - 1);
  assign misaligned =
      head_i[systole_pkg::CopyOffsetLsb +: AxiShift] != '0 ||
      head_i[systole_pkg::CopyMemLineStrideLsb +: AxiShift] != '0 ||
      head_i[systole_pkg::CopyMemBlockStrideLsb +: AxiShift] != '0 ||
      (head_raw && (11'({head_lanes, 2'b00}) & 11'(AxiBytes - 1)) != '0);
  assign accept_o    = head_valid_i && !ask_q && !jobs_full;
  assign req_valid_o = ask_q;
  assign req_addr_o  = line_addr_q;
  assign req_beats_o = line_beats_q;
  assign step        = ask_q && req_ready_i;

  always_ff @(posedge clk_i) begin
    align_error_o <= 1'b0;
    if (accept_o) begin
      ask_q          <= !misaligned;
      align_error_o  <= misaligned;
      line_addr_q    <= base_i + 64'(head_i[systole_pkg::CopyOffsetLsb +: systole_pkg::CopyOffsetBits]);
      block_addr_q   <= base_i + 64'(head_i[systole_pkg::CopyOffsetLsb +: systole_pkg::CopyOffsetBits]);
      line_stride_q  <= 64'($signed(head_i[systole_pkg::CopyMemLineStrideLsb +: systole_pkg::CopyMemLineStrideBits]));
      block_stride_q <= 64'($signed(head_i[systole_pkg::CopyMemBlockStrideLsb +: systole_pkg::CopyMemBlockStrideBits]));
      line_beats_q   <= head_raw ? 32'(head_rows) * 32'(head_parts) :
                                   (32'(head_rows) * Dim + AxiBytes - 1) >> AxiShift;
      lines_q        <= head_i[systole_pkg::CopyLinesLsb +: systole_pkg::CopyLinesBits];
      lines_left_q   <= head_i[systole_pkg::CopyLinesLsb +: systole_pkg::CopyLinesBits];
      blocks_left_q  <= head_i[systole_pkg::CopyBlocksLsb +: systole_pkg::CopyBlocksBits];
    end
    if (step) begin
      if (lines_left_q != 16'd1) begin
        lines_left_q <= lines_left_q - 16'd1;
        line_addr_q  <= line_addr_q + line_stride_q;
      end else begin
        lines_left_q  <= lines_q;
        blocks_left_q <= blocks_left_q - 16'd1;
        block_addr_q  <= block_addr_q + block_stride_q;
        line_addr_q   <= block_addr_q + block_stride_q;
        if (blocks_left_q == 16'd1) ask_q <= 1'b0;
      end
    end
    if (!rst_ni) begin
      ask_q         <= 1'b0;
      align_error_o <= 1'b0;
    end
  end

  // ---- sending -----------------------------------------------------------------------------
  localparam int JobBits = 32 + UnitBits + 1 + PartBits + 24 + 3 * 16 + 2 * 24;
  logic [JobBits-1:0]  job;
  logic                job_valid;
  logic                job_pop;
  logic [31:0]         job_index;
  logic [UnitBits-1:0] job_give;
  logic                job_raw;
  logic [PartBits-1:0] job_last_part; // of a row
  logic [23:0]         job_ub_row;
  logic [15:0]         job_rows;
  logic [15:0]         job_lines;
  logic [15:0]         job_blocks;
  logic [23:0]         job_line_stride;
  logic [23:0]         job_block_stride;

  systole_queue #(.Width(JobBits), .Depth(2)) u_jobs (
    .clk_i, .rst_ni,
    .push_i(accept_o && !misaligned), .full_o(jobs_full),
    .data_i({head_index_i, head_i[systole_pkg::GiveLsb +: UnitBits],
             head_raw, head_last_part,
             head_i[systole_pkg::CopyUbRowLsb +: systole_pkg::CopyUbRowBits],
             head_rows,
             head_i[systole_pkg::CopyLinesLsb +: systole_pkg::CopyLinesBits],
             head_i[systole_pkg::CopyBlocksLsb +: systole_pkg::CopyBlocksBits],
             head_i[systole_pkg::CopyUbLineStrideLsb +: systole_pkg::CopyUbLineStrideBits],
             head_i[systole_pkg::CopyUbBlockStrideLsb +: systole_pkg::CopyUbBlockStrideBits]}),
    .pop_i(job_pop), .valid_o(job_valid), .head_o(job));
  assign {job_index, job_give, job_raw, job_last_part, job_ub_row, job_rows, job_lines, job_blocks, job_line_stride,
          job_block_stride} = job;

  // Rows of this job in the order of the copy: from the buffer when raw is 0. The reading
  // position runs ahead of the position of the row that is sent, by what the four entries of
  // `ahead` and the two cycles of the port hold.
  logic              run_q;
  logic              reading_q;
  logic [15:0]       read_left_q;   // rows of the line still to be read
  logic [15:0]       read_line_q;
  logic [15:0]       read_block_q;
  logic [23:0]       read_row_q;
  logic [23:0]       read_line_row_q;
  logic [23:0]       read_block_row_q;
  logic              out_of_range;
  logic [2:0]        ahead_count_q; // rows in `ahead` or on their way
  logic [2:0]        ahead_here_q;  // rows in `ahead`
  logic [1:0]        ahead_write_q;
  logic [1:0]        ahead_read_q;
  logic [8*Dim-1:0]  ahead [0:3];
  logic              take_row;      // a row moves into row_q
  logic              take_ub;
  logic              line_end;
  logic [15:0]       send_left_q;   // rows of the line still to be taken
  logic [15:0]       send_line_q;
  logic [15:0]       send_block_q;

  assign out_of_range = 32'(read_row_q) >= UbRows;
  assign ub_valid_o   = reading_q && !out_of_range && ahead_count_q < 3'd4;
  assign ub_row_o     = read_row_q[UbBits-1:0];

  // ---- rows into beats ---------------------------------------------------------------------
  // When a beat holds two rows of Dim bytes the first one waits in the lower half of row_q.
  localparam int TwoRows   = (AxiBytes > Dim) ? 1 : 0;
  logic [32*Dim-1:0]   row_q;
  logic                row_valid_q;
  logic [PartBits-1:0] part_q;
  logic [PartBits-1:0] last_part_q;
  logic                row_end_q;     // last row of the instruction
  logic                row_short_q;   // the beat holds one row where two would fit
  logic                half_q;        // the lower half waits for the second row
  logic                part_moves;
  logic                row_free;
  logic                beat_end_q;    // data_o is the last beat of the instruction
  logic [31:0]         index_q;       // instruction at work, or the last one
  logic [31:0]         row_index_q;   // number of the instruction that row_q belongs to
  logic [31:0]         beat_index_q;  // the same of data_o
  logic [UnitBits-1:0] row_give_q;    // tokens of the instruction that row_q belongs to
  logic [UnitBits-1:0] beat_give_q;   // the same of data_o
  logic                room;
  logic [4:0]          pending_count; // instructions that wait for responses

  assign part_moves = row_valid_q && (!data_valid_o || data_ready_i);
  assign row_free   = !row_valid_q || (part_moves && part_q == last_part_q);
  assign room       = run_q && row_free && pending_count < 5'd13;
  assign take_ub    = room && !job_raw && ahead_here_q != 3'd0;
  assign raw_ready_o = room && job_raw;
  assign take_row   = take_ub || (raw_ready_o && raw_valid_i);
  assign line_end   = send_left_q == 16'd1;
  assign job_pop    = take_row && line_end && send_line_q == 16'd1 && send_block_q == 16'd1;

  always_ff @(posedge clk_i) begin
    range_error_o <= 1'b0;
    if (job_valid) index_q <= job_index;
    if (accept_o && misaligned) index_q <= head_index_i;
    if (!run_q && job_valid) begin
      run_q            <= 1'b1;
      reading_q        <= !job_raw;
      read_left_q      <= job_rows;
      read_line_q      <= job_lines;
      read_block_q     <= job_blocks;
      read_row_q       <= job_ub_row;
      read_line_row_q  <= job_ub_row;
      read_block_row_q <= job_ub_row;
      send_left_q      <= job_rows;
      send_line_q      <= job_lines;
      send_block_q     <= job_blocks;
    end

    // Reading ahead.
    if (reading_q && out_of_range) begin
      range_error_o  <= 1'b1;
      error_detail_o <= 32'(read_row_q);
    end
    if (ub_valid_o && ub_grant_i) begin
      if (read_left_q != 16'd1) begin
        read_left_q <= read_left_q - 16'd1;
        read_row_q  <= read_row_q + 24'd1;
      end else begin
        read_left_q <= job_rows;
        if (read_line_q != 16'd1) begin
          read_line_q     <= read_line_q - 16'd1;
          read_row_q      <= read_line_row_q + job_line_stride;
          read_line_row_q <= read_line_row_q + job_line_stride;
        end else begin
          read_line_q      <= job_lines;
          read_block_q     <= read_block_q - 16'd1;
          read_row_q       <= read_block_row_q + job_block_stride;
          read_line_row_q  <= read_block_row_q + job_block_stride;
          read_block_row_q <= read_block_row_q + job_block_stride;
          if (read_block_q == 16'd1) reading_q <= 1'b0;
        end
      end
    end
    if ((ub_valid_o && ub_grant_i) != take_ub)
      ahead_count_q <= take_ub ? ahead_count_q - 3'd1 : ahead_count_q + 3'd1;
    if (ub_data_valid_i != take_ub)
      ahead_here_q <= take_ub ? ahead_here_q - 3'd1 : ahead_here_q + 3'd1;
    if (ub_data_valid_i) begin
      ahead[ahead_write_q] <= ub_data_i;
      ahead_write_q        <= ahead_write_q + 2'd1;
    end

    // A beat moves out of the row.
    if (data_valid_o && data_ready_i) begin
      data_valid_o <= 1'b0;
      beat_end_q   <= 1'b0;
    end
    if (part_moves) begin
      data_valid_o <= 1'b1;
      data_o       <= row_q[8*AxiBytes*32'(part_q) +: 8*AxiBytes];
      strb_o       <= row_short_q ? AxiBytes'((65'd1 << Dim) - 65'd1) : '1;
      beat_end_q   <= row_end_q && part_q == last_part_q;
      beat_give_q  <= row_give_q;
      beat_index_q <= row_index_q;
      part_q       <= part_q + 1'b1;
      if (part_q == last_part_q) row_valid_q <= 1'b0;
    end

    // A row moves in.
    if (take_row) begin
      row_valid_q <= job_raw || TwoRows == 0 || half_q || line_end;
      half_q      <= !job_raw && TwoRows != 0 && !half_q && !line_end;
      row_short_q <= !job_raw && TwoRows != 0 && !half_q;
      last_part_q <= job_last_part;
      part_q      <= '0;
      row_end_q   <= job_pop;
      row_give_q  <= job_give;
      row_index_q <= job_index;
      if (job_raw) row_q <= raw_data_i;
      else if (half_q) row_q[8*Dim +: 8*Dim] <= ahead[ahead_read_q];
      else row_q[0 +: 8*Dim] <= ahead[ahead_read_q];
      if (take_ub) ahead_read_q <= ahead_read_q + 2'd1;
      if (!line_end) begin
        send_left_q <= send_left_q - 16'd1;
      end else begin
        send_left_q <= job_rows;
        if (send_line_q != 16'd1) begin
          send_line_q <= send_line_q - 16'd1;
        end else begin
          send_line_q  <= job_lines;
          send_block_q <= send_block_q - 16'd1;
          if (send_block_q == 16'd1) run_q <= 1'b0;
        end
      end
    end
    if (!rst_ni) begin
      run_q         <= 1'b0;
      reading_q     <= 1'b0;
      ahead_count_q <= '0;
      ahead_here_q  <= '0;
      ahead_write_q <= '0;
      ahead_read_q  <= '0;
      data_valid_o  <= 1'b0;
      beat_end_q    <= 1'b0;
      row_valid_q   <= 1'b0;
      half_q        <= 1'b0;
      range_error_o <= 1'b0;
    end
  end

  // ---- responses ---------------------------------------------------------------------------
  // Bursts end and are answered in order: an instruction is done when as many responses have
  // come as bursts had ended with its last beat. Its tokens wait here until then.
  localparam int PendingBits = UnitBits + 8;
  logic [PendingBits-1:0] pending;
  logic                   pending_empty;
  logic                   pending_full;
  logic [7:0]             ended_q;
  logic [7:0]             answered_q;
  logic                   pending_push;
  logic                   pending_pop;

  assign pending_push = data_valid_o && data_ready_i && beat_end_q;
  assign pending_pop  = !pending_empty && answered_q == pending[7:0];

  systole_fifo #(.Width(PendingBits), .Depth(16)) u_pending (
    .clk_i, .rst_ni, .clear_i(1'b0),
    .push_i(pending_push), .data_i({beat_give_q, ended_q + 8'd1}), .full_o(pending_full),
    .pop_i(pending_pop), .data_o(pending), .empty_o(pending_empty), .count_o(pending_count));

  // Whose burst the next response answers; responses may come a cycle apart.
  localparam int AnswerDepth = 32;
  logic [31:0]                  answer_index;
  logic                         answers_empty;
  logic                         answers_full;
  logic [$clog2(AnswerDepth):0] unused_answers;

  systole_fifo #(.Width(32), .Depth(AnswerDepth)) u_answers (
    .clk_i, .rst_ni, .clear_i(1'b0),
    .push_i(burst_end_i), .data_i(beat_index_q), .full_o(answers_full),
    .pop_i(response_i), .data_o(answer_index), .empty_o(answers_empty), .count_o(unused_answers));

  always_ff @(posedge clk_i) begin
    done_o <= pending_pop;
    if (pending_pop) give_o <= pending[8 +: UnitBits];
    if (burst_end_i) ended_q <= ended_q + 8'd1;
    if (response_i) answered_q <= answered_q + 8'd1;
    if (!rst_ni) begin
      done_o     <= 1'b0;
      ended_q    <= '0;
      answered_q <= '0;
    end
  end

  assign index_o        = index_q;
  assign answer_index_o = answers_empty ? beat_index_q : answer_index;
  assign owed_o         = ended_q != answered_q;
  // A raw STORE waits here long before its rows come, and then for responses: those wake the clock.
  assign wake_o = accept_o || step || (job_valid && !run_q) || ub_valid_o || ub_data_valid_i || take_row ||
                  row_valid_q || data_valid_o || pending_pop || done_o || burst_end_i || response_i ||
                  (reading_q && out_of_range) || range_error_o || align_error_o;
  assign busy_o = ask_q || job_valid || row_valid_q || data_valid_o || !pending_empty || done_o;

  `SYSTOLE_ASSERT(LastBeatEndsABurst, !pending_push || burst_end_i)
  `SYSTOLE_ASSERT(PendingNeverOverflows, !pending_push || !pending_full)
  `SYSTOLE_ASSERT(AnswersNeverOverflow, !burst_end_i || !answers_full)

  initial begin
    if (AxiBytes < 4 || AxiBytes > 2 * Dim || AxiBytes > 64) $fatal(1, "systole_store: AxiBytes must be 4 ... 64 and at most 2 Dim");
    if (2**UbBits != UbRows) $fatal(1, "systole_store: UbRows must be a power of two");
  end
endmodule

`default_nettype wire
