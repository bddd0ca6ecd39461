# The image of otelcol-dify from a binary that was built on the host: `make image`. build.Dockerfile builds it inside.
FROM scratch

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="otelcol-dify" \
      org.opencontainers.image.description="OpenTelemetry Collector distribution for self-hosted Dify" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="https://github.com/otelcol-dify/otelcol-dify" \
      org.opencontainers.image.documentation="https://github.com/otelcol-dify/otelcol-dify/tree/main/docs" \
      org.opencontainers.image.vendor="The otelcol-dify Authors" \
      org.opencontainers.image.licenses="Apache-2.0"

COPY bin/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY bin/otelcol-dify bin/difyctl /
COPY config/collector.yaml /etc/otelcol-dify/collector.yaml
COPY config/overlays /etc/otelcol-dify/overlays
# The only folder that the collector writes to. A named volume inherits its owner.
COPY --chown=10001:10001 bin/storage /var/lib/otelcol-dify

# 80 % of 1 GiB. Raise it together with the memory of the container.
ENV GOMEMLIMIT=800MiB
USER 10001:10001
VOLUME /var/lib/otelcol-dify
# OTLP/gRPC, OTLP/HTTP, own metrics, Dify's metrics, health, status
EXPOSE 4317 4318 8888 8889 13133 13134
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["/difyctl", "health"]
ENTRYPOINT ["/otelcol-dify"]
CMD ["--config=/etc/otelcol-dify/collector.yaml"]
