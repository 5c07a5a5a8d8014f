# One image for every role: `longshore migrate`, `longshore serve`, `longshore work`.

FROM rust:1.94-slim-bookworm AS build
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin longshore \
    && cp target/release/longshore /usr/local/bin/longshore

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 4800 --home-dir /var/lib/longshore --create-home longshore \
    && install --directory --owner longshore --group longshore /payloads
COPY --from=build /usr/local/bin/longshore /usr/local/bin/longshore
USER longshore
WORKDIR /var/lib/longshore
ENV LONGSHORE_LISTEN=0.0.0.0:4800 \
    LONGSHORE_DATA_DIR=/var/lib/longshore \
    LONGSHORE_PAYLOADS=file:///payloads
EXPOSE 4800
STOPSIGNAL SIGTERM
CMD ["longshore", "--help"]
