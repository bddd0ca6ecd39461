# Builds the binary and the image without Go on the host:
#   docker build -f build.Dockerfile -t otelcol-dify:latest .
# The tests build the same image from Dockerfile, because this file's base image can't be pulled where they run.
FROM golang:1.26-bookworm AS build

ARG VERSION=0.1.0
# The image sets GOTOOLCHAIN=local.
ENV GOTOOLCHAIN=go1.27.3
WORKDIR /src
COPY . .
# bin/ may contain binaries that the host built for itself
RUN rm -rf bin && make VERSION="${VERSION}" bin/otelcol-dify bin/difyctl && mkdir -p bin/storage

FROM scratch

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="otelcol-dify" \
      org.opencontainers.image.description="OpenTelemetry Collector distribution for self-hosted Dify" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="https://github.com/otelcol-dify/otelcol-dify" \
      org.opencontainers.image.documentation="https://github.com/otelcol-dify/otelcol-dify/tree/main/docs" \
      org.opencontainers.image.vendor="The otelcol-dify Authors" \
      org.opencontainers.image.licenses="Apache-2.0"

COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/bin/otelcol-dify /src/bin/difyctl /
COPY config/collector.yaml /etc/otelcol-dify/collector.yaml
COPY config/overlays /etc/otelcol-dify/overlays
COPY --from=build --chown=10001:10001 /src/bin/storage /var/lib/otelcol-dify

# 80 % of 1 GiB. Raise it together with the memory of the container.
ENV GOMEMLIMIT=800MiB
USER 10001:10001
VOLUME /var/lib/otelcol-dify
EXPOSE 4317 4318 8888 8889 13133 13134
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["/difyctl", "health"]
ENTRYPOINT ["/otelcol-dify"]
CMD ["--config=/etc/otelcol-dify/collector.yaml"]
