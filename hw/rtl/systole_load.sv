// The load unit: LOAD instructions, device memory -> unified buffer.
//
// For each block and line: fill_before rows of the fill byte, `rows` rows from device memory
// (contiguous there), fill_after rows of the fill byte; in the last block, lanes beyond last_lanes
// become zero. The asking side runs ahead of the arriving side by up to two instructions, so that
// the memory's latency is paid once.
//
// Rate: a row a cycle while beats arrive and port B of the unified buffer is granted; fill rows
// need no beats. Reads wait on R when port B is busy. Latency from grant to the buffer: 2 cycles.
// Done: tokens are given one cycle after the last row was granted.
// Errors: a row beyond the unified buffer (detail: the row); an offset or stride that is not a
// multiple of AxiBytes (nothing is asked for).
`include "systole_assert.svh"
`default_nettype none

module systole_load #(
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
  input  logic                  data_valid_i,
  output logic                  data_ready_o,
  input  logic [8*AxiBytes-1:0] data_i,

  // A row for port B: granted in the same cycle.
  output logic                  ub_valid_o,
  input  logic                  ub_grant_i,
  output logic [UbBits-1:0]     ub_row_o,
  output logic                  ub_fill_o,    // 1: every lane is ub_fill_byte_o
  output logic [7:0]            ub_fill_byte_o,
  output logic                  ub_cut_o,     // 1: lanes from ub_lanes_o on become zero
  output logic [8:0]            ub_lanes_o,
  output logic [8*Dim-1:0]      ub_data_o,

  output logic                  range_error_o, // one cycle
  output logic                  align_error_o, // one cycle
  output logic [31:0]           error_detail_o,
  output logic [31:0]           index_o,       // instruction whose data arrive (for error reports)
  output logic                  wake_o,        // this cycle changes something here
  output logic                  busy_o
);
  localparam int AxiShift = $clog2(AxiBytes);

  // ---- asking ------------------------------------------------------------------------------
  logic        ask_q;
  logic [63:0] line_addr_q;
  logic [63:0] block_addr_q;
  logic [63:0] line_stride_q;
  logic [63:0] block_stride_q;
  logic [15:0] rows_q;
  logic [15:0] lines_q;
  logic [15:0] lines_left_q;
  logic [15:0] blocks_left_q;
  logic        misaligned;
  logic        step;
  logic        jobs_full;

  assign misaligned =
      head_i[systole_pkg::CopyOffsetLsb +: AxiShift] != '0 ||
      head_i[systole_pkg::CopyMemLineStrideLsb +: AxiShift] != '0 ||
      head_i[systole_pkg::CopyMemBlockStrideLsb +: AxiShift] != '0;
  assign accept_o    = head_valid_i && !ask_q && !jobs_full;
  assign req_valid_o = ask_q && rows_q != 16'd0;
  assign req_addr_o  = line_addr_q;
  assign req_beats_o = 32'((32'(rows_q) * Dim + AxiBytes - 1) >> AxiShift);
  assign step        = ask_q && (req_ready_i || rows_q == 16'd0);

  always_ff @(posedge clk_i) begin
    align_error_o <= 1'b0;
    if (accept_o) begin
      ask_q          <= !misaligned;
      align_error_o  <= misaligned;
      line_addr_q    <= base_i + 64'(head_i[systole_pkg::CopyOffsetLsb +: systole_pkg::CopyOffsetBits]);
      block_addr_q   <= base_i + 64'(head_i[systole_pkg::CopyOffsetLsb +: systole_pkg::CopyOffsetBits]);
      line_stride_q  <= 64'($signed(head_i[systole_pkg::CopyMemLineStrideLsb +: systole_pkg::CopyMemLineStrideBits]));
      block_stride_q <= 64'($signed(head_i[systole_pkg::CopyMemBlockStrideLsb +: systole_pkg::CopyMemBlockStrideBits]));
      rows_q         <= head_i[systole_pkg::CopyRowsLsb +: systole_pkg::CopyRowsBits];
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

  // ---- arriving ----------------------------------------------------------------------------
  // What the arriving side needs of an instruction.
  localparam int JobBits = 32 + UnitBits + 24 + 5 * 16 + 8 + 2 * 24 + 9;
  logic [JobBits-1:0]  job;
  logic                job_valid;
  logic                job_pop;
  logic [31:0]         job_index;
  logic [UnitBits-1:0] job_give;
  logic [23:0]         job_ub_row;
  logic [15:0]         job_rows;
  logic [15:0]         job_lines;
  logic [15:0]         job_blocks;
  logic [15:0]         job_before;
  logic [15:0]         job_after;
  logic [7:0]          job_fill;
  logic [23:0]         job_line_stride;
  logic [23:0]         job_block_stride;
  logic [8:0]          job_lanes;

  systole_queue #(.Width(JobBits), .Depth(2)) u_jobs (
    .clk_i, .rst_ni,
    .push_i(accept_o && !misaligned), .full_o(jobs_full),
    .data_i({head_index_i, head_i[systole_pkg::GiveLsb +: UnitBits],
             head_i[systole_pkg::CopyUbRowLsb +: systole_pkg::CopyUbRowBits],
             head_i[systole_pkg::CopyRowsLsb +: systole_pkg::CopyRowsBits],
             head_i[systole_pkg::CopyLinesLsb +: systole_pkg::CopyLinesBits],
             head_i[systole_pkg::CopyBlocksLsb +: systole_pkg::CopyBlocksBits],
             head_i[systole_pkg::CopyFillBeforeLsb +: systole_pkg::CopyFillBeforeBits],
             head_i[systole_pkg::CopyFillAfterLsb +: systole_pkg::CopyFillAfterBits],
             head_i[systole_pkg::CopyFillByteLsb +: systole_pkg::CopyFillByteBits],
             head_i[systole_pkg::CopyUbLineStrideLsb +: systole_pkg::CopyUbLineStrideBits],
             head_i[systole_pkg::CopyUbBlockStrideLsb +: systole_pkg::CopyUbBlockStrideBits],
             head_i[systole_pkg::CopyLastLanesLsb +: systole_pkg::CopyLastLanesBits]}),
    .pop_i(job_pop), .valid_o(job_valid), .head_o(job));
  assign {job_index, job_give, job_ub_row, job_rows, job_lines, job_blocks, job_before, job_after, job_fill,
          job_line_stride, job_block_stride, job_lanes} = job;

  logic [31:0] index_q;      // of the last row that was written or refused
  logic        run_q;        // the counters below belong to the job at the head
  logic [17:0] position_q;   // row of the line, fill rows included
  logic [17:0] data_first_q;
  logic [17:0] data_end_q;
  logic [17:0] line_end_q;   // last row of a line
  logic [15:0] line_q;       // lines left
  logic [15:0] block_q;      // blocks left
  logic [23:0] row_q;
  logic [23:0] line_row_q;
  logic [23:0] block_row_q;
  logic        is_data;
  logic        row_valid;
  logic        row_ready;
  logic        emit;
  logic        out_of_range;
  logic        last_row;

  assign is_data      = position_q >= data_first_q && position_q < data_end_q;
  assign out_of_range = 32'(row_q) >= UbRows;
  assign ub_valid_o   = run_q && (!is_data || row_valid) && !out_of_range;
  assign emit         = ub_valid_o && ub_grant_i;
  assign row_ready    = run_q && is_data && ub_grant_i && !out_of_range;
  assign last_row     = position_q == line_end_q && line_q == 16'd1 && block_q == 16'd1;
  assign job_pop      = emit && last_row;

  assign ub_row_o       = row_q[UbBits-1:0];
  assign ub_fill_o      = !is_data;
  assign ub_fill_byte_o = job_fill;
  assign ub_cut_o       = block_q == 16'd1 && job_lanes != 9'd0;
  assign ub_lanes_o     = job_lanes;

  systole_beats_to_rows #(.Dim(Dim), .AxiBytes(AxiBytes)) u_rows (
    .clk_i, .rst_ni,
    .beat_valid_i(data_valid_i), .beat_ready_o(data_ready_o), .beat_i(data_i),
    .row_valid_o(row_valid), .row_ready_i(row_ready),
    .row_last_i(position_q + 18'd1 == data_end_q), .row_o(ub_data_o));

  always_ff @(posedge clk_i) begin
    done_o        <= 1'b0;
    range_error_o <= 1'b0;
    if (job_valid) index_q <= job_index;
    if (accept_o && misaligned) index_q <= head_index_i;
    if (run_q && out_of_range) begin
      range_error_o  <= 1'b1;
      error_detail_o <= 32'(row_q);
    end
    if (!run_q && job_valid) begin
      run_q        <= 1'b1;
      position_q   <= '0;
      data_first_q <= 18'(job_before);
      data_end_q   <= 18'(job_before) + 18'(job_rows);
      line_end_q   <= 18'(job_before) + 18'(job_rows) + 18'(job_after) - 18'd1;
      line_q       <= job_lines;
      block_q      <= job_blocks;
      row_q        <= job_ub_row;
      line_row_q   <= job_ub_row;
      block_row_q  <= job_ub_row;
    end
    if (emit) begin
      if (position_q != line_end_q) begin
        position_q <= position_q + 18'd1;
        row_q      <= row_q + 24'd1;
      end else begin
        position_q <= '0;
        if (line_q != 16'd1) begin
          line_q     <= line_q - 16'd1;
          row_q      <= line_row_q + job_line_stride;
          line_row_q <= line_row_q + job_line_stride;
        end else begin
          line_q      <= job_lines;
          block_q     <= block_q - 16'd1;
          row_q       <= block_row_q + job_block_stride;
          line_row_q  <= block_row_q + job_block_stride;
          block_row_q <= block_row_q + job_block_stride;
          if (block_q == 16'd1) begin
            run_q  <= 1'b0;
            done_o <= 1'b1;
            give_o <= job_give;
          end
        end
      end
    end
    if (!rst_ni) begin
      run_q         <= 1'b0;
      done_o        <= 1'b0;
      range_error_o <= 1'b0;
    end
  end

  assign index_o = index_q;
  assign wake_o = accept_o || ask_q || (job_valid && (!run_q || !is_data || out_of_range)) || data_valid_i ||
                  done_o || range_error_o || align_error_o;
  assign busy_o = ask_q || job_valid || done_o;

  initial begin
    if (AxiBytes < 4 || AxiBytes > 2 * Dim || AxiBytes > 64) $fatal(1, "systole_load: AxiBytes must be 4 ... 64 and at most 2 Dim");
    if (2**UbBits != UbRows) $fatal(1, "systole_load: UbRows must be a power of two");
  end
endmodule

`default_nettype wire
