//! Problems as they leave, one kind after the other.

use super::*;

async fn finished(response: Response) -> (StatusCode, http::HeaderMap, serde_json::Value) {
    let (parts, body) = finish(response, "the-id").into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    (parts.status, parts.headers, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_problem_has_every_member_and_names_its_fields() {
    let (status, headers, body) = finished(Problem::from(Error::invalid("phone", "Must be a number.")).into_response()).await;
    assert_eq!((status.as_u16(), headers[header::CONTENT_TYPE].to_str().unwrap()), (422, MEDIA_TYPE));
    let expected = serde_json::json!({
        "type": "/problems/validation_failed", "title": "Unprocessable Entity", "status": 422, "code": "validation_failed",
        "detail": "`phone`: Must be a number.", "request_id": "the-id", "errors": [{ "field": "phone", "message": "Must be a number." }],
    });
    assert_eq!(body, expected);
    let (_, _, body) = finished(Problem::from(Error::not_found("conversation")).into_response()).await;
    assert!(body.get("errors").is_none());
}

#[tokio::test]
async fn who_must_wait_is_told_how_long() {
    let (status, headers, _) = finished(Problem::from(Error::unavailable("Not now.", 3)).into_response()).await;
    assert_eq!((status.as_u16(), headers[header::RETRY_AFTER].to_str().unwrap()), (503, "3"));
    let (_, headers, _) = finished(Problem::from(Error::not_found("x")).into_response()).await;
    assert!(!headers.contains_key(header::RETRY_AFTER) && !headers.contains_key(header::WWW_AUTHENTICATE));
}

#[tokio::test]
async fn nothing_private_is_shown() {
    for response in [
        Problem::from(Error::internal("SELECT secret")).into_response(),
        of_panic(Box::new("secret")),
        of_panic(Box::new("secret".to_owned())),
        of_panic(Box::new(7)),
    ] {
        let (status, _, body) = finished(response).await;
        assert_eq!((status.as_u16(), &body["code"]), (500, &"internal".into()));
        assert!(!body.to_string().contains("secret"));
    }
}

#[tokio::test]
async fn what_is_no_problem_stays_as_it_is() {
    let response = finish((StatusCode::CREATED, "fine").into_response(), "the-id");
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(axum::body::to_bytes(response.into_body(), 99).await.unwrap(), "fine");
}
